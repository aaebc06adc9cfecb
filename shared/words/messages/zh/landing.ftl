### Chinese (simplified): the page of a link.

about = 专为您启动的独立会话。结束时，其中的一切都会被删除。
about-kept-files = 专为您启动的独立会话。您的文件会保留到下次；其余的一切在结束时都会被删除。
invited = 给 { $name } 的邀请
opens = 此链接要求会话打开由发送者选择的网址：
opens-care = 只有在您认识此网址，或信任发送链接的人时，才继续。
agree = 打开
start = 开始
starting = 正在启动…
crowd = 同时来的人很多，您正在排队。此页面会自动继续。
resumes = 您通过此链接启动的会话仍在运行。
resume = 返回您的会话
open-since = 您有一个自 { $time } 起打开的会话。
another = 再启动一个
resuming = 正在打开您的会话…
resume-only = 返回但不打开它
own-window = 它会在单独的窗口中打开。
opened = 已在单独的窗口中打开
sign-in-first = 此链接仅供有账户的人使用。
checking = 正在检查您的浏览器…
check-failed = 验证失败。请重新加载页面。
check-done = 验证成功。请再按一次按钮。
check-missing = 请先完成验证。
check-needs-scripting = 此链接会验证您是真人，这需要 JavaScript。请启用它，然后重新加载页面。
start-unchecked = 不验证直接开始
unchecked-less = 不验证时，会话的功能会较少。
sign-in-more = 登录以获得更多
