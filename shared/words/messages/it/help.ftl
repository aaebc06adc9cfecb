### Italian: what a visitor can do after a problem.

try-again-in = Puoi riprovare tra { $time }.
tries-again-in = Questa pagina riprova da sola tra { $time }.
seconds = { $count ->
    [one] { $count } secondo
   *[other] { $count } secondi
}
minutes = { $count ->
    [one] { $count } minuto
   *[other] { $count } minuti
}
hours = { $count ->
    [one] { $count } ora
   *[other] { $count } ore
}
days = { $count ->
    [one] { $count } giorno
   *[other] { $count } giorni
}
try-again = Riprova ora
open-link = Apri di nuovo il link
open-plain = Apri il link senza
sessions = Le tue sessioni
own-session = Vai a quella sessione
end-own = Terminala e ricomincia
own-ends = Quella sessione sta terminando e i tuoi file vengono salvati.
start = Pagina iniziale
ask = Se ti serve aiuto, chiedi a
reference = Riferimento
reference-use = Indica questo riferimento quando chiedi aiuto. Dice quando e perché è apparsa questa pagina, e nulla su di te.
copy = Copia
copied = Copiato
banned = Le richieste da { $label } non sono consentite.
provider-says = Il servizio di accesso dice: «{ $words }»
