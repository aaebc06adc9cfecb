### Italian: what the viewer's script says.

over = Questa sessione è terminata.
over-time-limit = Questa sessione è terminata: il suo tempo era scaduto.
over-abandoned = Questa sessione è terminata: è rimasta scollegata troppo a lungo.
over-not-entered = Questa sessione è terminata: nessuno è entrato in tempo.
over-idle = Questa sessione è terminata: era inattiva.
over-owner = Questa sessione è terminata: l’ha terminata il suo proprietario.
over-reclaimed = Questa sessione è terminata: la macchina su cui girava serviva altrove.
over-elsewhere = Questa sessione è terminata: è stata chiusa dalla sua pagina o da un amministratore.
lost = La connessione è interrotta; nuovo tentativo.
reclaimed = Questa macchina serve altrove: la sessione termina tra { $left }. Salva il tuo lavoro.
idle = Ci sei ancora? La sessione termina tra { $left } se non la tocchi.
late = La sessione termina tra { $left }.
controls = { $name } ha il controllo
watches = { $name } guarda
take-back = Riprendi
hand-over = Cedi
take-back-from = Riprendi il controllo da { $name }
hand-over-to = Cedi il controllo a { $name }
asks = { $name } vuole guardare
let-in = Fai entrare
let-in-name = Fai entrare { $name }
turn-away = Rifiuta
turn-away-name = Rifiuta { $name }
remove = Rimuovi
remove-name = Rimuovi { $name }
guest = { $name } (ospite)
administrator = { $name } (amministratore)
observed = Un amministratore sta guardando questa sessione: { $name }
more = { $count ->
    [one] { $count } minuto in più
   *[other] { $count } minuti in più
}
times = { $count ->
    [one] Si può fare ancora { $count } volta.
   *[other] Si può fare ancora { $count } volte.
}
all-taken = Tutto il tempo aggiuntivo è stato usato.
watching = { $count ->
    [one] { $count } guarda
   *[other] { $count } guardano
}
panel = Pannello di controllo
panel-watched = { $count ->
    [one] Pannello di controllo, { $count } persona guarda
   *[other] Pannello di controllo, { $count } persone guardano
}
role-controller = hai il controllo
role-viewer = stai guardando
good = Buona
bad = Persa
full-screen = Schermo intero
leave-full-screen = Esci da schermo intero
copy = Copia
copied = Copiato
failed = Non ha funzionato; riprova.
sent-board = È negli appunti della sessione.
taken-board = È nei tuoi appunti.
not-allowed = Il tuo browser non lo consente.
sound-on = Audio attivo
sound-off = Audio spento
sending = Invio di { $name }
sending-part = Invio di { $name }: { $progress } %
sent = { $name } è nella sessione.
not-sent = { $name } non è stato inviato.
