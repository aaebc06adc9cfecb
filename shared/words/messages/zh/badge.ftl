### Chinese (simplified): the badge of a link.

open = 开放
many = 余量充足
some = 尚有余量
few = 所剩不多
sold-out = 已用完
no-such-link = 无此链接
expired = 已过期
closed = 已关闭
maintenance = 维护中
closed-for-now = 暂时关闭
busy = 繁忙
sign-in = 需登录
restricted = 受限
unavailable = 不可用
try-later = 稍后再试
