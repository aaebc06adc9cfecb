### Spanish: the start page.

title = Sesiones por enlace
about = Este servidor inicia sesiones para quienes tienen un enlace. Abra el enlace que le dieron.
needs-script = Si su enlace contiene un #, active JavaScript y ábralo de nuevo, o quite de él los caracteres /#.
