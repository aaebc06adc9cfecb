### Spanish: signing in, and the list of one's sessions.

signed-in = Ha iniciado sesión
signed-in-as = Sesión iniciada como { $name }
go-on = Abra el enlace que le dieron.
signed-out = Ha cerrado sesión
sessions-go-on = Las sesiones que haya iniciado siguen en marcha.
sessions = Sus sesiones
no-sessions = No tiene ninguna sesión en marcha.
starting-since = Iniciándose desde { $time }
running-since = En marcha desde { $time }
ending-since = Terminando, iniciada { $time }
enter = Ir
end = Terminar
end-question = ¿Terminar esta sesión?
sign-in = Iniciar sesión
sign-out = Cerrar sesión
