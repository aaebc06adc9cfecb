### Japanese: the lobby of a shared session.

title = 閲覧を依頼する
about = 誰が閲覧できるかは、このセッションの所有者が決めます。
name = お名前
name-hint = 所有者に表示されます。空欄でもかまいません。
signed-in = { $name } さんからの依頼として所有者に表示されます。
ask = 閲覧を依頼する
unanswered = 依頼への返答がありませんでした。もう一度依頼できます。
full-title = 多くの人が待っています
full = 今はこれ以上待つことができません。数分後にもう一度お試しください。
waiting-title = 所有者に依頼しました
waiting = このページを開いたままにしてください。許可されると自動的に入ります。
trouble = 現在接続が切れています。再試行しています。
turned-away-title = 閲覧は許可されませんでした
turned-away = このセッションの所有者は、今は閲覧を許可していません。
