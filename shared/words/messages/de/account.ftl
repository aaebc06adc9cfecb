### German: signing in, and the list of one's sessions.

signed-in = Sie sind angemeldet
signed-in-as = Angemeldet als { $name }
go-on = Öffnen Sie den Link, den Sie bekommen haben.
signed-out = Sie sind abgemeldet
sessions-go-on = Sitzungen, die Sie gestartet haben, laufen weiter.
sessions = Ihre Sitzungen
no-sessions = Sie haben keine laufende Sitzung.
starting-since = Startet seit { $time }
running-since = Läuft seit { $time }
ending-since = Wird beendet, gestartet { $time }
enter = Öffnen
end = Beenden
end-question = Diese Sitzung beenden?
sign-in = Anmelden
sign-out = Abmelden
