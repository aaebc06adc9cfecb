### Italian: the badge of a link.

open = aperto
many = molte libere
some = alcune libere
few = poche libere
sold-out = esaurito
no-such-link = link inesistente
expired = scaduto
closed = chiuso
maintenance = in manutenzione
closed-for-now = chiuso per ora
busy = occupato
sign-in = accedi
restricted = riservato
unavailable = non disponibile
try-later = più tardi
