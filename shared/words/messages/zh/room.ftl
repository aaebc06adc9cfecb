### Chinese (simplified): the waiting room.

title = 您正在排队
about = 此链接的所有会话都在使用中。轮到您时会自动进入。
position = 您排在第 { $number } 位。
soon = 大约一分钟或更短。
estimate = 大约 { $time }。
no-estimate = 目前还无法估计需要多久。
turn = 轮到您了。
enter = 进入
keep = 请保持此页面打开。关闭超过一分钟，您的位置就会失效。
trouble = 连接暂时中断，正在重试。
leave = 离开队列
left-title = 您已离开队列
left = 您的位置已让出。
again = 重新开始
