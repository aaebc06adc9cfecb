### Portuguese: what a visitor can do after a problem.

try-again-in = Você pode tentar de novo em { $time }.
tries-again-in = Esta página tenta de novo sozinha em { $time }.
seconds = { $count ->
    [one] { $count } segundo
   *[other] { $count } segundos
}
minutes = { $count ->
    [one] { $count } minuto
   *[other] { $count } minutos
}
hours = { $count ->
    [one] { $count } hora
   *[other] { $count } horas
}
days = { $count ->
    [one] { $count } dia
   *[other] { $count } dias
}
try-again = Tentar agora
open-link = Abrir o link de novo
open-plain = Abrir o link sem ele
sessions = Suas sessões
own-session = Ir para essa sessão
end-own = Encerrá-la e começar de novo
own-ends = Essa sessão está terminando, e seus arquivos estão sendo salvos.
start = Página inicial
ask = Se precisar de ajuda, pergunte a
reference = Referência
reference-use = Informe esta referência quando pedir ajuda. Ela diz quando e por que esta página apareceu, e nada sobre você.
copy = Copiar
copied = Copiado
banned = Pedidos de { $label } não são permitidos.
provider-says = O serviço de login diz: “{ $words }”
