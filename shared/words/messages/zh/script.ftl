### Chinese (simplified): what the viewer's script says.

over = 此会话已结束。
over-time-limit = 此会话已结束：时间已到。
over-abandoned = 此会话已结束：断开连接的时间过长。
over-not-entered = 此会话已结束：没有人及时进入。
over-idle = 此会话已结束：处于闲置状态。
over-owner = 此会话已结束：所有者结束了它。
over-reclaimed = 此会话已结束：它所在的机器需要用于其他地方。
over-elsewhere = 此会话已结束：在其页面上或由管理员结束。
lost = 连接中断，正在重试。
reclaimed = 此机器需要用于其他地方：会话将在 { $left } 后结束。请保存您的工作。
idle = 您还在吗？如果没有操作，会话将在 { $left } 后结束。
late = 会话将在 { $left } 后结束。
controls = { $name } 拥有控制权
watches = { $name } 正在观看
take-back = 收回
hand-over = 移交
take-back-from = 从 { $name } 收回控制权
hand-over-to = 将控制权移交给 { $name }
asks = { $name } 想观看
let-in = 允许
let-in-name = 允许 { $name } 观看
turn-away = 拒绝
turn-away-name = 拒绝 { $name } 观看
remove = 移除
remove-name = 移除 { $name }
guest = { $name }（访客）
administrator = { $name }（管理员）
observed = 管理员正在观看此会话：{ $name }
more = { $count ->
   *[other] 延长 { $count } 分钟
}
times = { $count ->
   *[other] 还可以进行 { $count } 次。
}
all-taken = 可延长的时间已全部用完。
watching = { $count ->
   *[other] { $count } 人观看
}
panel = 控制面板
panel-watched = { $count ->
   *[other] 控制面板，{ $count } 人正在观看
}
role-controller = 拥有控制权
role-viewer = 正在观看
good = 良好
bad = 中断
full-screen = 全屏
leave-full-screen = 退出全屏
copy = 复制
copied = 已复制
failed = 未能成功，请重试。
sent-board = 已放入会话的剪贴板。
taken-board = 已放入您自己的剪贴板。
not-allowed = 您的浏览器不允许这样做。
sound-on = 声音已开启
sound-off = 声音已关闭
sending = 正在发送 { $name }
sending-part = 正在发送 { $name }：{ $progress }%
sent = { $name } 已在会话中。
not-sent = { $name } 未能发送。
