### English: what a visitor can do after a problem.

try-again-in = You can try again in { $time }.
tries-again-in = This page tries again by itself in { $time }.
seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
try-again = Try again now
open-link = Open the link again
open-plain = Open the link without it
sessions = Your sessions
own-session = Go to that session
end-own = End it and start again
own-ends = That session is ending, and your files are being saved.
start = Start page
ask = If you need help, ask
reference = Reference
reference-use = Quote this reference when you ask for help. It says when and why this page was shown, and nothing about you.
copy = Copy
copied = Copied
banned = Requests from { $label } are not allowed.
provider-says = The login provider says: “{ $words }”
