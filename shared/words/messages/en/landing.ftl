### English: the page of a link.

about = Your own session, started just for you. Everything in it is deleted when it ends.
about-kept-files = Your own session, started just for you. Your files are kept for next time; everything else is deleted when it ends.
invited = Invitation for { $name }
opens = This link asks the session to open an address that its sender chose:
opens-care = Continue only if you recognise it, or trust who sent you the link.
agree = Open it
start = Start
starting = Starting…
crowd = Many people are coming at once, and you are in line. This page goes on by itself.
resumes = Your session of this link is still running.
resume = Go back to your session
open-since = You have one open since { $time }.
another = Start another
resuming = Opening your session…
resume-only = Go back without opening it
own-window = It opens in a window of its own.
opened = Opened in a window of its own
sign-in-first = This link is for people with an account.
checking = Checking your browser…
check-failed = The check failed. Please load the page again.
check-done = That worked. Please press the button once more.
check-missing = Please complete the check first.
check-needs-scripting = This link checks that you are a person, which needs JavaScript. Please switch it on and load the page again.
start-unchecked = Start without the check
unchecked-less = Without the check, the session can do less.
sign-in-more = Sign in to get more
