### Japanese: what the viewer's script says.

over = このセッションは終了しました。
over-time-limit = このセッションは終了しました。時間になりました。
over-abandoned = このセッションは終了しました。長い間、接続が切れていました。
over-not-entered = このセッションは終了しました。時間内に誰も入りませんでした。
over-idle = このセッションは終了しました。操作がありませんでした。
over-owner = このセッションは終了しました。所有者が終了しました。
over-reclaimed = このセッションは終了しました。動いていたマシンが別の用途で必要になりました。
over-elsewhere = このセッションは終了しました。セッションのページか、管理者によって終了されました。
lost = 接続が切れています。もう一度試しています。
reclaimed = このマシンは別の用途で必要です。セッションはあと{ $left }で終了します。作業を保存してください。
idle = まだそこにいますか？操作がなければ、セッションはあと{ $left }で終了します。
late = セッションはあと{ $left }で終了します。
controls = { $name }が操作しています
watches = { $name }が見ています
take-back = 取り戻す
hand-over = 渡す
take-back-from = { $name }から操作を取り戻す
hand-over-to = { $name }に操作を渡す
asks = { $name } さんが閲覧を希望しています
let-in = 許可する
let-in-name = { $name } さんの閲覧を許可する
turn-away = 断る
turn-away-name = { $name } さんの閲覧を断る
remove = 外す
remove-name = { $name } さんを外す
guest = { $name }（ゲスト）
administrator = { $name }（管理者）
observed = 管理者がこのセッションを閲覧しています: { $name }
more = { $count ->
   *[other] { $count }分延長
}
times = { $count ->
   *[other] あと{ $count }回できます。
}
all-taken = 延長できる時間はすべて使いました。
watching = { $count ->
   *[other] { $count }人が視聴中
}
panel = コントロールパネル
panel-watched = { $count ->
   *[other] コントロールパネル、{ $count }人が見ています
}
role-controller = 操作しています
role-viewer = 見ています
good = 良好
bad = 切断
full-screen = 全画面
leave-full-screen = 全画面を終了
copy = コピー
copied = コピーしました
failed = うまくいきませんでした。もう一度お試しください。
sent-board = セッションのクリップボードに入りました。
taken-board = 手元のクリップボードに入りました。
not-allowed = ブラウザーが許可していません。
sound-on = 音声オン
sound-off = 音声オフ
sending = { $name }を送っています
sending-part = { $name }を送っています：{ $progress }%
sent = { $name }はセッションに入りました。
not-sent = { $name }は送られませんでした。
