### Portuguese: signing in, and the list of one's sessions.

signed-in = Você entrou na sua conta
signed-in-as = Conectado como { $name }
go-on = Abra o link que você recebeu.
signed-out = Você saiu da sua conta
sessions-go-on = As sessões que você iniciou continuam.
sessions = Suas sessões
no-sessions = Você não tem nenhuma sessão em andamento.
starting-since = Iniciando desde { $time }
running-since = Em andamento desde { $time }
ending-since = Terminando, iniciada { $time }
enter = Ir para ela
end = Encerrar
end-question = Encerrar esta sessão?
sign-in = Entrar
sign-out = Sair
