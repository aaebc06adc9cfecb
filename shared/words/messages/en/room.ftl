### English: the waiting room.

title = You are in the queue
about = Every session of this link is in use. You get in automatically when it is your turn.
position = You are number { $number }.
soon = About a minute or less.
estimate = About { $time }.
no-estimate = We cannot say yet how long it takes.
turn = It is your turn.
enter = Enter
keep = Keep this page open. Your place is given up when it has been closed for more than a minute.
trouble = The connection is lost at the moment; trying again.
leave = Leave the queue
left-title = You have left the queue
left = Your place was given back.
again = Start again
