### German: the lobby of a shared session.

title = Um Zusehen bitten
about = Wem diese Sitzung gehört, entscheidet, wer zusieht.
name = Ihr Name
name-hint = Er wird dem Besitzer der Sitzung gezeigt. Sie können ihn weglassen.
signed-in = Der Besitzer sieht, dass { $name } fragt.
ask = Um Zusehen bitten
unanswered = Ihre Anfrage wurde nicht beantwortet. Sie können noch einmal fragen.
full-title = Es warten schon viele
full = Im Moment kann niemand mehr warten. Versuchen Sie es in einigen Minuten wieder.
waiting-title = Der Besitzer ist gefragt
waiting = Lassen Sie diese Seite offen. Sie kommen von selbst hinein, sobald Sie eingelassen werden.
trouble = Die Verbindung ist gerade unterbrochen; es wird wieder versucht.
turned-away-title = Sie wurden nicht eingelassen
turned-away = Der Besitzer dieser Sitzung möchte jetzt nicht, dass Sie zusehen.
