### Japanese: the badge of a link.

open = 受付中
many = 余裕あり
some = 残りあり
few = 残りわずか
sold-out = 受付終了
no-such-link = リンクなし
expired = 期限切れ
closed = 時間外
maintenance = メンテナンス中
closed-for-now = 一時停止中
busy = 満員
sign-in = 要サインイン
restricted = 制限あり
unavailable = 利用不可
try-later = 後で
