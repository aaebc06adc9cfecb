### Portuguese: the lobby of a shared session.

title = Pedir para assistir
about = O dono desta sessão decide quem assiste.
name = Seu nome
name-hint = O dono o vê. Pode ficar vazio.
signed-in = O dono vê que { $name } está pedindo.
ask = Pedir para assistir
unanswered = Seu pedido não foi respondido. Você pode pedir outra vez.
full-title = Muitas pessoas estão aguardando
full = Ninguém mais pode aguardar no momento. Tente novamente em alguns minutos.
waiting-title = O dono foi avisado
waiting = Deixe esta página aberta. Você entra automaticamente quando o dono deixar.
trouble = A conexão foi perdida no momento; tentando novamente.
turned-away-title = Sua entrada não foi permitida
turned-away = O dono desta sessão não quer que você assista agora.
