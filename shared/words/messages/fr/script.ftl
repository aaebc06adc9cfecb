### French: what the viewer's script says.

over = Cette session est terminée.
over-time-limit = Cette session est terminée : son temps était écoulé.
over-abandoned = Cette session est terminée : elle est restée déconnectée trop longtemps.
over-not-entered = Cette session est terminée : personne n’y est entré à temps.
over-idle = Cette session est terminée : elle était inactive.
over-owner = Cette session est terminée : son propriétaire l’a terminée.
over-reclaimed = Cette session est terminée : la machine sur laquelle elle tournait était nécessaire ailleurs.
over-elsewhere = Cette session est terminée : elle l’a été depuis sa page ou par un administrateur.
lost = La connexion est perdue ; nouvelle tentative.
reclaimed = Cette machine est nécessaire ailleurs : la session se termine dans { $left }. Enregistrez votre travail.
idle = Êtes-vous toujours là ? La session se termine dans { $left } si vous n’y touchez pas.
late = La session se termine dans { $left }.
controls = { $name } a le contrôle
watches = { $name } regarde
take-back = Reprendre
hand-over = Donner
take-back-from = Reprendre le contrôle à { $name }
hand-over-to = Donner le contrôle à { $name }
asks = { $name } souhaite regarder
let-in = Laisser entrer
let-in-name = Laisser entrer { $name }
turn-away = Refuser
turn-away-name = Refuser { $name }
remove = Retirer
remove-name = Retirer { $name }
guest = { $name } (invité)
administrator = { $name } (administrateur)
observed = Un administrateur regarde cette session : { $name }
more = { $count ->
    [one] { $count } minute de plus
   *[other] { $count } minutes de plus
}
times = { $count ->
    [one] Encore possible { $count } fois.
   *[other] Encore possible { $count } fois.
}
all-taken = Tout le temps supplémentaire a été pris.
watching = { $count ->
    [one] { $count } regarde
   *[other] { $count } regardent
}
panel = Panneau de contrôle
panel-watched = { $count ->
    [one] Panneau de contrôle, { $count } personne regarde
   *[other] Panneau de contrôle, { $count } personnes regardent
}
role-controller = avez le contrôle
role-viewer = regardez
good = Bonne
bad = Perdue
full-screen = Plein écran
leave-full-screen = Quitter le plein écran
copy = Copier
copied = Copié
failed = Cela n’a pas marché ; réessayez.
sent-board = C’est dans le presse-papiers de la session.
taken-board = C’est dans votre propre presse-papiers.
not-allowed = Votre navigateur ne l’autorise pas.
sound-on = Son activé
sound-off = Son coupé
sending = Envoi de { $name }
sending-part = Envoi de { $name } : { $progress } %
sent = { $name } est dans la session.
not-sent = { $name } n’a pas été envoyé.
