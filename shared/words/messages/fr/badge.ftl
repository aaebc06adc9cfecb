### French: the badge of a link.

open = ouvert
many = encore beaucoup
some = encore quelques-unes
few = bientôt épuisé
sold-out = épuisé
no-such-link = lien inconnu
expired = expiré
closed = fermé
maintenance = en maintenance
closed-for-now = fermé pour l’instant
busy = occupé
sign-in = se connecter
restricted = restreint
unavailable = indisponible
try-later = plus tard
