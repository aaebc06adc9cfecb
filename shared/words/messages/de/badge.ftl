### German: the badge of a link.

open = offen
many = viele frei
some = einige frei
few = wenige frei
sold-out = vergeben
no-such-link = kein solcher Link
expired = abgelaufen
closed = geschlossen
maintenance = in Wartung
closed-for-now = vorerst zu
busy = belegt
sign-in = anmelden
restricted = beschränkt
unavailable = nicht verfügbar
try-later = später
