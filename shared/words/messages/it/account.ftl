### Italian: signing in, and the list of one's sessions.

signed-in = Hai effettuato l’accesso
signed-in-as = Accesso come { $name }
go-on = Apri il link che hai ricevuto.
signed-out = Sei uscito
sessions-go-on = Le sessioni che hai avviato continuano.
sessions = Le tue sessioni
no-sessions = Non hai sessioni in corso.
starting-since = In avvio, da { $time }
running-since = In corso, da { $time }
ending-since = In chiusura, avviata { $time }
enter = Vai
end = Termina
end-question = Terminare questa sessione?
sign-in = Accedi
sign-out = Esci
