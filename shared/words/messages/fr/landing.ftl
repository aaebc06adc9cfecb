### French: the page of a link.

about = Votre propre session, lancée rien que pour vous. Tout ce qu’elle contient est supprimé à la fin.
about-kept-files = Votre propre session, lancée rien que pour vous. Vos fichiers sont conservés pour la prochaine fois ; tout le reste est supprimé à la fin.
invited = Invitation pour { $name }
opens = Ce lien demande à la session d’ouvrir une adresse choisie par son expéditeur :
opens-care = Ne continuez que si vous la reconnaissez ou si vous faites confiance à la personne qui vous a envoyé le lien.
agree = L’ouvrir
start = Démarrer
starting = Démarrage…
crowd = Beaucoup de monde arrive en même temps et vous êtes dans la file. Cette page continue d’elle-même.
resumes = Votre session de ce lien est toujours en cours.
resume = Revenir à votre session
open-since = Vous en avez une ouverte depuis { $time }.
another = En lancer une autre
resuming = Ouverture de votre session…
resume-only = Revenir sans l’ouvrir
own-window = Elle s’ouvre dans sa propre fenêtre.
opened = Ouverte dans sa propre fenêtre
sign-in-first = Ce lien est réservé aux personnes qui ont un compte.
checking = Vérification de votre navigateur…
check-failed = La vérification a échoué. Rechargez la page.
check-done = C’est fait. Appuyez encore une fois sur le bouton.
check-missing = Effectuez d’abord la vérification.
check-needs-scripting = Ce lien vérifie que vous êtes une personne, ce qui nécessite JavaScript. Activez-le et rechargez la page.
start-unchecked = Démarrer sans la vérification
unchecked-less = Sans la vérification, la session permet moins de choses.
sign-in-more = Se connecter pour obtenir plus
