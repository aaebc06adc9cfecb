### Spanish: what the viewer's script says.

over = Esta sesión ha terminado.
over-time-limit = Esta sesión ha terminado: se acabó su tiempo.
over-abandoned = Esta sesión ha terminado: estuvo desconectada demasiado tiempo.
over-not-entered = Esta sesión ha terminado: nadie entró a tiempo.
over-idle = Esta sesión ha terminado: estaba inactiva.
over-owner = Esta sesión ha terminado: la terminó su propietario.
over-reclaimed = Esta sesión ha terminado: la máquina en la que funcionaba se necesitaba en otro lugar.
over-elsewhere = Esta sesión ha terminado: la terminó alguien en su página o un administrador.
lost = Se ha perdido la conexión; se sigue intentando.
reclaimed = Esta máquina se necesita en otro lugar: la sesión termina en { $left }. Guarde su trabajo.
idle = ¿Sigue ahí? La sesión termina en { $left } si no la toca.
late = La sesión termina en { $left }.
controls = { $name } tiene el control
watches = { $name } mira
take-back = Recuperar
hand-over = Ceder
take-back-from = Recuperar el control de { $name }
hand-over-to = Ceder el control a { $name }
asks = { $name } quiere mirar
let-in = Dejar entrar
let-in-name = Dejar entrar a { $name }
turn-away = Rechazar
turn-away-name = Rechazar a { $name }
remove = Quitar
remove-name = Quitar a { $name }
guest = { $name } (invitado)
administrator = { $name } (administrador)
observed = Un administrador está mirando esta sesión: { $name }
more = { $count ->
    [one] { $count } minuto más
   *[other] { $count } minutos más
}
times = { $count ->
    [one] Se puede hacer { $count } vez más.
   *[other] Se puede hacer { $count } veces más.
}
all-taken = Ya se ha usado todo el tiempo adicional.
watching = { $count ->
    [one] { $count } mirando
   *[other] { $count } mirando
}
panel = Panel de control
panel-watched = { $count ->
    [one] Panel de control, { $count } persona mirando
   *[other] Panel de control, { $count } personas mirando
}
role-controller = tiene el control
role-viewer = está mirando
good = Buena
bad = Perdida
full-screen = Pantalla completa
leave-full-screen = Salir de pantalla completa
copy = Copiar
copied = Copiado
failed = No ha funcionado; inténtelo de nuevo.
sent-board = Está en el portapapeles de la sesión.
taken-board = Está en su propio portapapeles.
not-allowed = Su navegador no lo permite.
sound-on = Sonido activado
sound-off = Sonido desactivado
sending = Enviando { $name }
sending-part = Enviando { $name }: { $progress } %
sent = { $name } está en la sesión.
not-sent = { $name } no se envió.
