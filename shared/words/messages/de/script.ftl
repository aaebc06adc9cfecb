### German: what the viewer's script says.

over = Diese Sitzung ist beendet.
over-time-limit = Diese Sitzung ist beendet: Ihre Zeit war um.
over-abandoned = Diese Sitzung ist beendet: Sie war zu lange ohne Verbindung.
over-not-entered = Diese Sitzung ist beendet: Sie wurde nicht rechtzeitig betreten.
over-idle = Diese Sitzung ist beendet: Sie war untätig.
over-owner = Diese Sitzung ist beendet: Ihr Besitzer hat sie beendet.
over-reclaimed = Diese Sitzung ist beendet: Die Maschine, auf der sie lief, wurde anderswo gebraucht.
over-elsewhere = Diese Sitzung ist beendet: Sie wurde auf ihrer Seite oder von einem Administrator beendet.
lost = Die Verbindung ist unterbrochen; es wird weiter versucht.
reclaimed = Diese Maschine wird anderswo gebraucht: Die Sitzung endet in { $left }. Bitte speichern Sie Ihre Arbeit.
idle = Sind Sie noch da? Die Sitzung endet in { $left }, wenn Sie nichts tun.
late = Die Sitzung endet in { $left }.
controls = { $name } steuert
watches = { $name } sieht zu
take-back = Zurückholen
hand-over = Übergeben
take-back-from = Steuerung von { $name } zurückholen
hand-over-to = Steuerung an { $name } übergeben
asks = { $name } möchte zusehen
let-in = Einlassen
let-in-name = { $name } einlassen
turn-away = Abweisen
turn-away-name = { $name } abweisen
remove = Entfernen
remove-name = { $name } entfernen
guest = { $name } (Gast)
administrator = { $name } (Administrator)
observed = Ein Administrator sieht dieser Sitzung zu: { $name }
more = { $count ->
    [one] { $count } Minute mehr
   *[other] { $count } Minuten mehr
}
times = { $count ->
    [one] Das geht noch { $count } Mal.
   *[other] Das geht noch { $count } Mal.
}
all-taken = Die zusätzliche Zeit ist aufgebraucht.
watching = { $count ->
    [one] { $count } sieht zu
   *[other] { $count } sehen zu
}
panel = Bedienfeld
panel-watched = { $count ->
    [one] Bedienfeld, { $count } Person sieht zu
   *[other] Bedienfeld, { $count } Personen sehen zu
}
role-controller = steuern
role-viewer = sehen zu
good = Gut
bad = Unterbrochen
full-screen = Vollbild
leave-full-screen = Vollbild beenden
copy = Kopieren
copied = Kopiert
failed = Das hat nicht geklappt; bitte versuchen Sie es noch einmal.
sent-board = Es ist in der Zwischenablage der Sitzung.
taken-board = Es ist in Ihrer eigenen Zwischenablage.
not-allowed = Ihr Browser erlaubt das nicht.
sound-on = Ton ist an
sound-off = Ton ist aus
sending = { $name } wird gesendet
sending-part = { $name } wird gesendet: { $progress } %
sent = { $name } ist in der Sitzung.
not-sent = { $name } wurde nicht gesendet.
