### French: the start page.

title = Des sessions par lien
about = Ce serveur lance des sessions pour les personnes qui ont un lien. Ouvrez le lien que l’on vous a donné.
needs-script = Si votre lien contient un #, activez JavaScript et ouvrez-le de nouveau, ou retirez-en les caractères /#.
