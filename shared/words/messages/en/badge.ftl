### English: the badge of a link.

open = open
many = many left
some = some left
few = few left
sold-out = sold out
no-such-link = no such link
expired = expired
closed = closed
maintenance = in maintenance
closed-for-now = closed for now
busy = busy
sign-in = sign in
restricted = restricted
unavailable = unavailable
try-later = try later
