### Japanese: the waiting room.

title = 順番待ちをしています
about = このリンクのセッションはすべて使用中です。順番が来ると自動的に入れます。
position = { $number }番目です。
soon = あと1分ほどか、それ以内です。
estimate = あと約{ $time }です。
no-estimate = どのくらいかかるか、まだ分かりません。
turn = あなたの番です。
enter = 入る
keep = このページを開いたままにしてください。1分以上閉じると、順番が失われます。
trouble = 接続が切れています。もう一度試しています。
leave = 順番待ちをやめる
left-title = 順番待ちをやめました
left = あなたの順番は取り消されました。
again = 新しく始める
