### Portuguese: what the viewer's script says.

over = Esta sessão terminou.
over-time-limit = Esta sessão terminou: o tempo dela acabou.
over-abandoned = Esta sessão terminou: ela ficou desconectada tempo demais.
over-not-entered = Esta sessão terminou: ninguém entrou nela a tempo.
over-idle = Esta sessão terminou: ela estava inativa.
over-owner = Esta sessão terminou: o dono a encerrou.
over-reclaimed = Esta sessão terminou: a máquina em que ela rodava foi necessária em outro lugar.
over-elsewhere = Esta sessão terminou: ela foi encerrada na página dela ou por um administrador.
lost = A conexão caiu; tentando de novo.
reclaimed = Esta máquina é necessária em outro lugar: a sessão termina em { $left }. Salve seu trabalho.
idle = Você ainda está aí? A sessão termina em { $left } se você não mexer nela.
late = A sessão termina em { $left }.
controls = { $name } tem o controle
watches = { $name } assiste
take-back = Retomar
hand-over = Passar
take-back-from = Retomar o controle de { $name }
hand-over-to = Passar o controle para { $name }
asks = { $name } quer assistir
let-in = Deixar entrar
let-in-name = Deixar entrar { $name }
turn-away = Recusar
turn-away-name = Recusar { $name }
remove = Remover
remove-name = Remover { $name }
guest = { $name } (convidado)
administrator = { $name } (administrador)
observed = Um administrador está assistindo a esta sessão: { $name }
more = { $count ->
    [one] mais { $count } minuto
   *[other] mais { $count } minutos
}
times = { $count ->
    [one] Pode ser feito mais { $count } vez.
   *[other] Pode ser feito mais { $count } vezes.
}
all-taken = Todo o tempo adicional já foi usado.
watching = { $count ->
    [one] { $count } assistindo
   *[other] { $count } assistindo
}
panel = Painel de controle
panel-watched = { $count ->
    [one] Painel de controle, { $count } pessoa assistindo
   *[other] Painel de controle, { $count } pessoas assistindo
}
role-controller = tem o controle
role-viewer = está assistindo
good = Boa
bad = Perdida
full-screen = Tela cheia
leave-full-screen = Sair da tela cheia
copy = Copiar
copied = Copiado
failed = Não funcionou; tente de novo.
sent-board = Está na área de transferência da sessão.
taken-board = Está na sua própria área de transferência.
not-allowed = Seu navegador não permite isso.
sound-on = Som ligado
sound-off = Som desligado
sending = Enviando { $name }
sending-part = Enviando { $name }: { $progress } %
sent = { $name } está na sessão.
not-sent = { $name } não foi enviado.
