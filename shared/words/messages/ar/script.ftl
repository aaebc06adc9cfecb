### Arabic: what the viewer's script says.

over = انتهت هذه الجلسة.
over-time-limit = انتهت هذه الجلسة: انتهى وقتها.
over-abandoned = انتهت هذه الجلسة: بقيت غير متصلة مدة طويلة.
over-not-entered = انتهت هذه الجلسة: لم يدخلها أحد في الوقت المناسب.
over-idle = انتهت هذه الجلسة: كانت بلا نشاط.
over-owner = انتهت هذه الجلسة: أنهاها مالكها.
over-reclaimed = انتهت هذه الجلسة: كان الجهاز الذي تعمل عليه مطلوبًا في مكان آخر.
over-elsewhere = انتهت هذه الجلسة: أُنهيت من صفحتها أو أنهاها أحد المسؤولين.
lost = انقطع الاتصال؛ تجري المحاولة مرة أخرى.
reclaimed = هذا الجهاز مطلوب في مكان آخر: تنتهي الجلسة بعد { $left }. احفظ عملك.
idle = هل ما زلت هنا؟ تنتهي الجلسة بعد { $left } ما لم تلمسها.
late = تنتهي الجلسة بعد { $left }.
controls = { $name } يتحكم
watches = { $name } يشاهد
take-back = استعادة
hand-over = تسليم
take-back-from = استعادة التحكم من { $name }
hand-over-to = تسليم التحكم إلى { $name }
asks = { $name } يريد المشاهدة
let-in = السماح بالدخول
let-in-name = السماح بالدخول: { $name }
turn-away = رفض
turn-away-name = رفض { $name }
remove = إزالة
remove-name = إزالة { $name }
guest = { $name } (ضيف)
administrator = { $name } (مسؤول)
observed = أحد المسؤولين يشاهد هذه الجلسة: { $name }
more = { $count ->
    [zero] { $count } دقيقة إضافية
    [one] دقيقة إضافية
    [two] دقيقتان إضافيتان
    [few] { $count } دقائق إضافية
    [many] { $count } دقيقة إضافية
   *[other] { $count } دقيقة إضافية
}
times = { $count ->
    [zero] لا يمكن ذلك بعد الآن.
    [one] يمكن ذلك مرة واحدة أخرى.
    [two] يمكن ذلك مرتين أخريين.
    [few] يمكن ذلك { $count } مرات أخرى.
    [many] يمكن ذلك { $count } مرة أخرى.
   *[other] يمكن ذلك { $count } مرة أخرى.
}
all-taken = استُخدم كل الوقت الإضافي.
watching = { $count ->
    [zero] لا مشاهدين
    [one] مشاهد واحد
    [two] مشاهدان
    [few] { $count } مشاهدين
    [many] { $count } مشاهدًا
   *[other] { $count } مشاهد
}
panel = لوحة التحكم
panel-watched = { $count ->
    [zero] لوحة التحكم، لا مشاهدين
    [one] لوحة التحكم، مشاهد واحد
    [two] لوحة التحكم، مشاهدان
    [few] لوحة التحكم، { $count } مشاهدين
    [many] لوحة التحكم، { $count } مشاهدًا
   *[other] لوحة التحكم، { $count } مشاهد
}
role-controller = تتحكم
role-viewer = تشاهد
good = جيد
bad = مقطوع
full-screen = ملء الشاشة
leave-full-screen = الخروج من ملء الشاشة
copy = نسخ
copied = تم النسخ
failed = لم ينجح ذلك؛ حاول مرة أخرى.
sent-board = هو الآن في حافظة الجلسة.
taken-board = هو الآن في حافظتك.
not-allowed = لا يسمح متصفحك بذلك.
sound-on = الصوت يعمل
sound-off = الصوت متوقف
sending = جارٍ إرسال { $name }
sending-part = جارٍ إرسال { $name }: { $progress }%
sent = { $name } في الجلسة.
not-sent = لم يُرسل { $name }.
