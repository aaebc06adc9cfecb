### German: the page of a link.

about = Ihre eigene Sitzung, nur für Sie gestartet. Wenn sie endet, wird alles darin gelöscht.
about-kept-files = Ihre eigene Sitzung, nur für Sie gestartet. Ihre Dateien bleiben für das nächste Mal erhalten; alles andere wird am Ende gelöscht.
invited = Einladung für { $name }
opens = Dieser Link lässt die Sitzung eine Adresse öffnen, die sein Absender gewählt hat:
opens-care = Fahren Sie nur fort, wenn Sie die Adresse kennen oder dem Absender des Links vertrauen.
agree = Öffnen
start = Starten
starting = Wird gestartet …
crowd = Gerade kommen viele auf einmal, und Sie sind in der Reihe. Diese Seite macht von selbst weiter.
resumes = Ihre Sitzung dieses Links läuft noch.
resume = Zurück zu Ihrer Sitzung
open-since = Sie haben eine offene Sitzung seit { $time }.
another = Eine weitere starten
resuming = Ihre Sitzung wird geöffnet …
resume-only = Zurück, ohne sie zu öffnen
own-window = Sie öffnet sich in einem eigenen Fenster.
opened = In einem eigenen Fenster geöffnet
sign-in-first = Dieser Link ist für Personen mit einem Konto.
checking = Ihr Browser wird geprüft …
check-failed = Die Prüfung ist fehlgeschlagen. Bitte laden Sie die Seite neu.
check-done = Das hat geklappt. Bitte drücken Sie den Knopf noch einmal.
check-missing = Bitte schließen Sie zuerst die Prüfung ab.
check-needs-scripting = Dieser Link prüft, ob Sie ein Mensch sind. Das braucht JavaScript. Bitte schalten Sie es ein, und laden Sie die Seite neu.
start-unchecked = Ohne Prüfung starten
unchecked-less = Ohne Prüfung kann die Sitzung weniger.
sign-in-more = Anmelden und mehr erhalten
