### Chinese (simplified): the lobby of a shared session.

title = 请求观看
about = 由此会话的所有者决定谁可以观看。
name = 您的姓名
name-hint = 所有者会看到它。可以留空。
signed-in = 所有者会看到请求来自 { $name }。
ask = 请求观看
unanswered = 您的请求没有得到答复。您可以再次请求。
full-title = 等待的人很多
full = 目前无法再等待。请几分钟后再试。
waiting-title = 已询问所有者
waiting = 请保持此页面打开。所有者允许后您会自动进入。
trouble = 连接暂时中断；正在重试。
turned-away-title = 您未获准进入
turned-away = 此会话的所有者现在不希望您观看。
