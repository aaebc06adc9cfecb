### Japanese: what a visitor can do after a problem.

try-again-in = あと{ $time }でもう一度お試しいただけます。
tries-again-in = このページはあと{ $time }で自動的にもう一度試します。
seconds = { $count }秒
minutes = { $count }分
hours = { $count }時間
days = { $count }日
try-again = 今すぐもう一度試す
open-link = リンクをもう一度開く
open-plain = アドレスなしでリンクを開く
sessions = あなたのセッション
own-session = そのセッションへ
end-own = 終了して新しく始める
own-ends = そのセッションは終了中で、ファイルを保存しています。
start = スタートページ
ask = お困りのときの連絡先：
reference = 参照番号
reference-use = 助けを求めるときは、この参照番号を伝えてください。このページがいつ、なぜ表示されたかだけを示し、あなたのことは何も含みません。
copy = コピー
copied = コピーしました
banned = { $label }からのリクエストは許可されていません。
provider-says = ログインサービスからのメッセージ：「{ $words }」
