### Spanish: the badge of a link.

open = abierto
many = quedan muchas
some = quedan algunas
few = quedan pocas
sold-out = agotado
no-such-link = enlace desconocido
expired = caducado
closed = cerrado
maintenance = en mantenimiento
closed-for-now = cerrado por ahora
busy = ocupado
sign-in = iniciar sesión
restricted = restringido
unavailable = no disponible
try-later = más tarde
