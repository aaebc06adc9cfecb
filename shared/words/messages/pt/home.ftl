### Portuguese: the start page.

title = Sessões por link
about = Este servidor inicia sessões para quem tem um link. Abra o link que você recebeu.
needs-script = Se o seu link tem um #, ative o JavaScript e abra-o de novo, ou remova dele os caracteres /#.
