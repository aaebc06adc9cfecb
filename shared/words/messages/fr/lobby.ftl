### French: the lobby of a shared session.

title = Demander à regarder
about = Le propriétaire de cette session décide qui la regarde.
name = Votre nom
name-hint = Le propriétaire le voit. Vous pouvez le laisser vide.
signed-in = Le propriétaire voit que { $name } demande.
ask = Demander à regarder
unanswered = Votre demande est restée sans réponse. Vous pouvez demander de nouveau.
full-title = Beaucoup de personnes attendent
full = Personne d’autre ne peut attendre pour le moment. Réessayez dans quelques minutes.
waiting-title = Le propriétaire a été prévenu
waiting = Gardez cette page ouverte. Vous entrez automatiquement dès que le propriétaire vous laisse entrer.
trouble = La connexion est interrompue pour le moment ; nouvel essai en cours.
turned-away-title = Vous n’avez pas été admis
turned-away = Le propriétaire de cette session ne souhaite pas que vous regardiez maintenant.
