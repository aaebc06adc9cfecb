### Spanish: the waiting room.

title = Está en la cola
about = Todas las sesiones de este enlace están en uso. Entrará automáticamente cuando le toque.
position = Es el número { $number }.
soon = Un minuto o menos, más o menos.
estimate = Unos { $time }.
no-estimate = Todavía no podemos decir cuánto tardará.
turn = Es su turno.
enter = Entrar
keep = Mantenga abierta esta página. Si se cierra más de un minuto, perderá su lugar.
trouble = Se ha perdido la conexión por ahora; se sigue intentando.
leave = Salir de la cola
left-title = Ha salido de la cola
left = Su lugar ha quedado libre.
again = Empezar de nuevo
