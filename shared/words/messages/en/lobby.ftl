### English: the lobby of a shared session.

title = Ask to watch
about = The owner of this session decides who watches it.
name = Your name
name-hint = The owner sees it. You can leave it empty.
signed-in = The owner sees that { $name } asks.
ask = Ask to watch
unanswered = Your request was not answered. You can ask again.
full-title = Many people are waiting
full = No one else can wait at the moment. Try again in a few minutes.
waiting-title = The owner has been asked
waiting = Keep this page open. You get in automatically when the owner lets you in.
trouble = The connection is lost at the moment; trying again.
turned-away-title = You were not let in
turned-away = The owner of this session does not want you to watch now.
