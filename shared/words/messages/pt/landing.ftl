### Portuguese: the page of a link.

about = Sua própria sessão, iniciada só para você. Tudo nela é apagado quando termina.
about-kept-files = Sua própria sessão, iniciada só para você. Seus arquivos ficam guardados para a próxima vez; todo o resto é apagado quando termina.
invited = Convite para { $name }
opens = Este link pede à sessão que abra um endereço escolhido por quem o enviou:
opens-care = Continue apenas se você o reconhece ou confia em quem lhe enviou o link.
agree = Abrir
start = Iniciar
starting = Iniciando…
crowd = Muitas pessoas estão chegando ao mesmo tempo, e você está na fila. Esta página continua sozinha.
resumes = Sua sessão deste link ainda está em andamento.
resume = Voltar à sua sessão
open-since = Você tem uma aberta desde { $time }.
another = Iniciar outra
resuming = Abrindo sua sessão…
resume-only = Voltar sem abrir
own-window = Ela abre em uma janela própria.
opened = Aberta em uma janela própria
sign-in-first = Este link é para pessoas com uma conta.
checking = Verificando seu navegador…
check-failed = A verificação falhou. Carregue a página de novo.
check-done = Funcionou. Pressione o botão mais uma vez.
check-missing = Conclua a verificação primeiro.
check-needs-scripting = Este link verifica se você é uma pessoa, e isso precisa de JavaScript. Ative-o e carregue a página de novo.
start-unchecked = Iniciar sem a verificação
unchecked-less = Sem a verificação, a sessão pode fazer menos.
sign-in-more = Entrar para obter mais
