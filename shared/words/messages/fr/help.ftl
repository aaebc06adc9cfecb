### French: what a visitor can do after a problem.

try-again-in = Vous pourrez réessayer dans { $time }.
tries-again-in = Cette page réessaie d’elle-même dans { $time }.
seconds = { $count ->
    [one] { $count } seconde
   *[other] { $count } secondes
}
minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
hours = { $count ->
    [one] { $count } heure
   *[other] { $count } heures
}
days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}
try-again = Réessayer maintenant
open-link = Ouvrir de nouveau le lien
open-plain = Ouvrir le lien sans elle
sessions = Vos sessions
own-session = Aller à cette session
end-own = La terminer et recommencer
own-ends = Cette session se termine et vos fichiers sont en cours d’enregistrement.
start = Page d’accueil
ask = Si vous avez besoin d’aide, demandez à
reference = Référence
reference-use = Indiquez cette référence quand vous demandez de l’aide. Elle dit quand et pourquoi cette page s’est affichée, et rien sur vous.
copy = Copier
copied = Copié
banned = Les requêtes de { $label } ne sont pas autorisées.
provider-says = Le service de connexion indique : « { $words } »
