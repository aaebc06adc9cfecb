### Arabic: the badge of a link.

open = مفتوح
many = متاح كثير
some = متاح بعض
few = بقي قليل
sold-out = نفد
no-such-link = رابط مجهول
expired = منتهٍ
closed = مغلق
maintenance = صيانة
closed-for-now = مغلق حاليًا
busy = مشغول
sign-in = سجّل الدخول
restricted = مقيّد
unavailable = غير متاح
try-later = لاحقًا
