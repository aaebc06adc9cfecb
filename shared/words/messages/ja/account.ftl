### Japanese: signing in, and the list of one's sessions.

signed-in = サインインしています
signed-in-as = { $name }としてサインイン中
go-on = 受け取ったリンクを開いてください。
signed-out = サインアウトしました
sessions-go-on = 開始したセッションは動き続けます。
sessions = あなたのセッション
no-sessions = 動いているセッションはありません。
starting-since = { $time }から開始中
running-since = { $time }から動作中
ending-since = 終了中、{ $time }に開始
enter = 開く
end = 終了
end-question = このセッションを終了しますか？
sign-in = サインイン
sign-out = サインアウト
