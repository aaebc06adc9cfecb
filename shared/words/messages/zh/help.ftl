### Chinese (simplified): what a visitor can do after a problem.

try-again-in = 您可以在 { $time }后重试。
tries-again-in = 此页面将在 { $time }后自动重试。
seconds = { $count } 秒
minutes = { $count } 分钟
hours = { $count } 小时
days = { $count } 天
try-again = 立即重试
open-link = 重新打开链接
open-plain = 打开不带该网址的链接
sessions = 您的会话
own-session = 前往该会话
end-own = 结束它并重新开始
own-ends = 该会话正在结束，您的文件正在保存。
start = 首页
ask = 如需帮助，请联系
reference = 参考编号
reference-use = 寻求帮助时请提供此参考编号。它只说明此页面何时以及为何显示，不包含有关您的任何信息。
copy = 复制
copied = 已复制
banned = 不允许来自{ $label }的请求。
provider-says = 登录服务的消息：“{ $words }”
