### Italian: the start page.

title = Sessioni tramite link
about = Questo server avvia sessioni per chi ha un link. Apri il link che hai ricevuto.
needs-script = Se il tuo link contiene un #, attiva JavaScript e aprilo di nuovo, oppure togli dal link i caratteri /#.
