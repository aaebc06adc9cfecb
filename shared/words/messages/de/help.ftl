### German: what a visitor can do after a problem.

try-again-in = Sie können es in { $time } noch einmal versuchen.
tries-again-in = Diese Seite versucht es in { $time } von selbst noch einmal.
seconds = { $count ->
    [one] { $count } Sekunde
   *[other] { $count } Sekunden
}
minutes = { $count ->
    [one] { $count } Minute
   *[other] { $count } Minuten
}
hours = { $count ->
    [one] { $count } Stunde
   *[other] { $count } Stunden
}
days = { $count ->
    [one] { $count } Tag
   *[other] { $count } Tagen
}
try-again = Jetzt noch einmal versuchen
open-link = Link noch einmal öffnen
open-plain = Link ohne sie öffnen
sessions = Ihre Sitzungen
own-session = Zu dieser Sitzung
end-own = Beenden und neu beginnen
own-ends = Diese Sitzung wird gerade beendet, und Ihre Dateien werden gespeichert.
start = Startseite
ask = Wenn Sie Hilfe brauchen, fragen Sie:
reference = Referenz
reference-use = Nennen Sie diese Referenz, wenn Sie um Hilfe bitten. Sie sagt, wann und warum diese Seite erschien, und nichts über Sie.
copy = Kopieren
copied = Kopiert
banned = Anfragen von { $label } sind nicht erlaubt.
provider-says = Der Anmeldedienst meldet: „{ $words }“
