### Spanish: what a visitor can do after a problem.

try-again-in = Podrá intentarlo de nuevo dentro de { $time }.
tries-again-in = Esta página lo intentará de nuevo por sí sola dentro de { $time }.
seconds = { $count ->
    [one] { $count } segundo
   *[other] { $count } segundos
}
minutes = { $count ->
    [one] { $count } minuto
   *[other] { $count } minutos
}
hours = { $count ->
    [one] { $count } hora
   *[other] { $count } horas
}
days = { $count ->
    [one] { $count } día
   *[other] { $count } días
}
try-again = Intentarlo ahora
open-link = Abrir de nuevo el enlace
open-plain = Abrir el enlace sin ella
sessions = Sus sesiones
own-session = Ir a esa sesión
end-own = Terminarla y empezar de nuevo
own-ends = Esa sesión está terminando y se están guardando sus archivos.
start = Página de inicio
ask = Si necesita ayuda, pregunte a
reference = Referencia
reference-use = Indique esta referencia cuando pida ayuda. Dice cuándo y por qué se mostró esta página, y nada sobre usted.
copy = Copiar
copied = Copiado
banned = No se permiten peticiones de { $label }.
provider-says = El servicio de inicio de sesión dice: «{ $words }»
