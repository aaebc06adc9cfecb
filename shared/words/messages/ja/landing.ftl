### Japanese: the page of a link.

about = あなただけのために開始される、あなた専用のセッションです。終了すると中身はすべて削除されます。
about-kept-files = あなただけのために開始される、あなた専用のセッションです。ファイルは次回のために残り、ほかはすべて終了時に削除されます。
invited = { $name } さんへの招待
opens = このリンクは、送った人が選んだアドレスをセッションで開こうとしています：
opens-care = このアドレスに覚えがあるか、リンクを送った人を信頼できる場合だけ続けてください。
agree = 開く
start = 開始
starting = 開始しています…
crowd = 多くの人が同時に訪れており、あなたは順番待ちに入っています。このページは自動的に先へ進みます。
resumes = このリンクのセッションがまだ動いています。
resume = セッションに戻る
open-since = { $time }から開いているセッションがあります。
another = もう一つ開始する
resuming = セッションを開いています…
resume-only = 開かずに戻る
own-window = 別のウィンドウで開きます。
opened = 別のウィンドウで開きました
sign-in-first = このリンクはアカウントを持つ人のためのものです。
checking = ブラウザーを確認しています…
check-failed = 確認できませんでした。ページを読み込み直してください。
check-done = 確認できました。ボタンをもう一度押してください。
check-missing = 先に確認を済ませてください。
check-needs-scripting = このリンクは、あなたが人間であることを確認します。それにはJavaScriptが必要です。有効にしてから、ページを読み込み直してください。
start-unchecked = 確認せずに開始
unchecked-less = 確認しない場合、セッションでできることが少なくなります。
sign-in-more = サインインしてもっと使う
