### German: the start page.

title = Sitzungen per Link
about = Dieser Server startet Sitzungen für alle, die einen Link haben. Öffnen Sie den Link, den Sie bekommen haben.
needs-script = Wenn Ihr Link ein # enthält, schalten Sie JavaScript ein und öffnen ihn noch einmal, oder entfernen Sie die Zeichen /# daraus.
