### Italian: the lobby of a shared session.

title = Chiedi di guardare
about = Il proprietario di questa sessione decide chi la guarda.
name = Il tuo nome
name-hint = Il proprietario lo vede. Puoi lasciarlo vuoto.
signed-in = Il proprietario vede che { $name } chiede.
ask = Chiedi di guardare
unanswered = La richiesta non ha avuto risposta. Puoi chiedere di nuovo.
full-title = Molte persone sono in attesa
full = Al momento nessun altro può aspettare. Riprova tra qualche minuto.
waiting-title = Il proprietario è stato avvisato
waiting = Tieni aperta questa pagina. Entrerai automaticamente quando il proprietario ti farà entrare.
trouble = La connessione è interrotta al momento; nuovo tentativo in corso.
turned-away-title = Non ti hanno fatto entrare
turned-away = Il proprietario di questa sessione non desidera che tu guardi adesso.
