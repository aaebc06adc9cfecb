### Chinese (simplified): the start page.

title = 通过链接使用的会话
about = 此服务器为持有链接的人启动会话。请打开您收到的链接。
needs-script = 如果您的链接中有 #，请启用 JavaScript 后重新打开，或从中去掉 /# 这两个字符。
