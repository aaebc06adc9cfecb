### Spanish: the lobby of a shared session.

title = Pedir permiso para mirar
about = El propietario de esta sesión decide quién la mira.
name = Su nombre
name-hint = El propietario lo ve. Puede dejarlo vacío.
signed-in = El propietario ve que { $name } lo pide.
ask = Pedir permiso para mirar
unanswered = Su petición no tuvo respuesta. Puede volver a pedirlo.
full-title = Hay muchas personas esperando
full = En este momento no puede esperar nadie más. Inténtelo de nuevo en unos minutos.
waiting-title = Se ha avisado al propietario
waiting = Deje esta página abierta. Entrará automáticamente cuando el propietario se lo permita.
trouble = La conexión se ha perdido por el momento; se intenta de nuevo.
turned-away-title = No se le ha dejado entrar
turned-away = El propietario de esta sesión no quiere que usted mire ahora.
