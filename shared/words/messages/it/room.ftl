### Italian: the waiting room.

title = Sei in coda
about = Tutte le sessioni di questo link sono in uso. Entrerai automaticamente quando sarà il tuo turno.
position = Sei il numero { $number }.
soon = Circa un minuto o meno.
estimate = Circa { $time }.
no-estimate = Non possiamo ancora dire quanto ci vorrà.
turn = È il tuo turno.
enter = Entra
keep = Tieni aperta questa pagina. Se resta chiusa per più di un minuto, perdi il posto.
trouble = La connessione è interrotta al momento; nuovo tentativo.
leave = Lascia la coda
left-title = Hai lasciato la coda
left = Il tuo posto è di nuovo libero.
again = Ricomincia
