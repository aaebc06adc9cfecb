### Chinese (simplified): signing in, and the list of one's sessions.

signed-in = 您已登录
signed-in-as = 已登录为 { $name }
go-on = 请打开您收到的链接。
signed-out = 您已退出登录
sessions-go-on = 您启动的会话会继续运行。
sessions = 您的会话
no-sessions = 您没有正在运行的会话。
starting-since = 自 { $time } 起正在启动
running-since = 自 { $time } 起运行
ending-since = 正在结束，启动于 { $time }
enter = 前往
end = 结束
end-question = 要结束此会话吗？
sign-in = 登录
sign-out = 退出登录
