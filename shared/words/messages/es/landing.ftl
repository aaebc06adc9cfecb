### Spanish: the page of a link.

about = Su propia sesión, iniciada solo para usted. Todo lo que contiene se borra al terminar.
about-kept-files = Su propia sesión, iniciada solo para usted. Sus archivos se conservan para la próxima vez; todo lo demás se borra al terminar.
invited = Invitación para { $name }
opens = Este enlace pide a la sesión que abra una dirección elegida por su remitente:
opens-care = Continúe solo si la reconoce o si confía en quien le envió el enlace.
agree = Abrirla
start = Iniciar
starting = Iniciando…
crowd = Está llegando mucha gente a la vez y usted está en la cola. Esta página continúa por sí sola.
resumes = Su sesión de este enlace sigue en marcha.
resume = Volver a su sesión
open-since = Tiene una abierta desde { $time }.
another = Iniciar otra
resuming = Abriendo su sesión…
resume-only = Volver sin abrirla
own-window = Se abre en su propia ventana.
opened = Abierta en su propia ventana
sign-in-first = Este enlace es para personas con una cuenta.
checking = Comprobando su navegador…
check-failed = La comprobación ha fallado. Vuelva a cargar la página.
check-done = Ha funcionado. Pulse el botón una vez más.
check-missing = Complete primero la comprobación.
check-needs-scripting = Este enlace comprueba que es una persona, y para eso necesita JavaScript. Actívelo y vuelva a cargar la página.
start-unchecked = Iniciar sin la comprobación
unchecked-less = Sin la comprobación, la sesión puede hacer menos.
sign-in-more = Iniciar sesión para obtener más
