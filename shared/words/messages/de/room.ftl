### German: the waiting room.

title = Sie sind in der Warteschlange
about = Alle Sitzungen dieses Links sind belegt. Sie kommen von selbst hinein, sobald Sie an der Reihe sind.
position = Sie sind Nummer { $number }.
soon = Noch etwa eine Minute oder weniger.
estimate = Voraussichtlich in etwa { $time }.
no-estimate = Wie lange es dauert, lässt sich noch nicht sagen.
turn = Sie sind an der Reihe.
enter = Eintreten
keep = Lassen Sie diese Seite offen. Ist sie länger als eine Minute geschlossen, verfällt Ihr Platz.
trouble = Die Verbindung ist gerade unterbrochen; es wird weiter versucht.
leave = Warteschlange verlassen
left-title = Sie haben die Warteschlange verlassen
left = Ihr Platz ist wieder frei.
again = Neu beginnen
