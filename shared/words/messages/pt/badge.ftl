### Portuguese: the badge of a link.

open = aberto
many = restam muitas
some = restam algumas
few = restam poucas
sold-out = esgotado
no-such-link = link inexistente
expired = expirado
closed = fechado
maintenance = em manutenção
closed-for-now = fechado por ora
busy = ocupado
sign-in = entrar
restricted = restrito
unavailable = indisponível
try-later = mais tarde
