### French: signing in, and the list of one's sessions.

signed-in = Vous êtes connecté
signed-in-as = Connecté en tant que { $name }
go-on = Ouvrez le lien que l’on vous a donné.
signed-out = Vous êtes déconnecté
sessions-go-on = Les sessions que vous avez lancées continuent.
sessions = Vos sessions
no-sessions = Vous n’avez aucune session en cours.
starting-since = Démarre depuis { $time }
running-since = En cours depuis { $time }
ending-since = Se termine, lancée { $time }
enter = Y aller
end = Terminer
end-question = Terminer cette session ?
sign-in = Se connecter
sign-out = Se déconnecter
