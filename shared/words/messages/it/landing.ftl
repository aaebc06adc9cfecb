### Italian: the page of a link.

about = La tua sessione, avviata solo per te. Quando termina, tutto ciò che contiene viene cancellato.
about-kept-files = La tua sessione, avviata solo per te. I tuoi file restano per la prossima volta; tutto il resto viene cancellato alla fine.
invited = Invito per { $name }
opens = Questo link chiede alla sessione di aprire un indirizzo scelto da chi l’ha inviato:
opens-care = Continua solo se lo riconosci o se ti fidi di chi ti ha inviato il link.
agree = Aprilo
start = Avvia
starting = Avvio…
crowd = Stanno arrivando molte persone insieme e tu sei in coda. Questa pagina prosegue da sola.
resumes = La tua sessione di questo link è ancora in corso.
resume = Torna alla tua sessione
open-since = Ne hai una aperta dalle { $time }.
another = Avviane un’altra
resuming = Apertura della tua sessione…
resume-only = Torna senza aprirlo
own-window = Si apre in una finestra a sé.
opened = Aperta in una finestra a sé
sign-in-first = Questo link è per chi ha un account.
checking = Verifica del browser…
check-failed = La verifica non è riuscita. Ricarica la pagina.
check-done = Ha funzionato. Premi il pulsante ancora una volta.
check-missing = Prima completa la verifica.
check-needs-scripting = Questo link verifica che tu sia una persona, e per farlo serve JavaScript. Attivalo e ricarica la pagina.
start-unchecked = Avvia senza la verifica
unchecked-less = Senza la verifica, la sessione può fare meno cose.
sign-in-more = Accedi per avere di più
