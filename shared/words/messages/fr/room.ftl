### French: the waiting room.

title = Vous êtes dans la file d’attente
about = Toutes les sessions de ce lien sont occupées. Vous entrerez automatiquement quand ce sera votre tour.
position = Vous êtes le numéro { $number }.
soon = Environ une minute ou moins.
estimate = Environ { $time }.
no-estimate = Nous ne pouvons pas encore dire combien de temps cela prendra.
turn = C’est votre tour.
enter = Entrer
keep = Gardez cette page ouverte. Votre place est rendue si elle reste fermée plus d’une minute.
trouble = La connexion est perdue pour le moment ; nouvelle tentative.
leave = Quitter la file
left-title = Vous avez quitté la file d’attente
left = Votre place a été rendue.
again = Recommencer
