### Portuguese: the waiting room.

title = Você está na fila
about = Todas as sessões deste link estão em uso. Você entra automaticamente quando for a sua vez.
position = Você é o número { $number }.
soon = Cerca de um minuto ou menos.
estimate = Cerca de { $time }.
no-estimate = Ainda não podemos dizer quanto tempo leva.
turn = É a sua vez.
enter = Entrar
keep = Mantenha esta página aberta. Se ficar fechada por mais de um minuto, você perde o lugar.
trouble = A conexão caiu por enquanto; tentando de novo.
leave = Sair da fila
left-title = Você saiu da fila
left = Seu lugar foi liberado.
again = Começar de novo
