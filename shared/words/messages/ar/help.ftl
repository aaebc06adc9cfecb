### Arabic: what a visitor can do after a problem.

try-again-in = يمكنك المحاولة مرة أخرى بعد { $time }.
tries-again-in = تحاول هذه الصفحة من تلقاء نفسها مرة أخرى بعد { $time }.
seconds = { $count ->
    [zero] { $count } ثانية
    [one] ثانية واحدة
    [two] ثانيتين
    [few] { $count } ثوانٍ
    [many] { $count } ثانية
   *[other] { $count } ثانية
}
minutes = { $count ->
    [zero] { $count } دقيقة
    [one] دقيقة واحدة
    [two] دقيقتين
    [few] { $count } دقائق
    [many] { $count } دقيقة
   *[other] { $count } دقيقة
}
hours = { $count ->
    [zero] { $count } ساعة
    [one] ساعة واحدة
    [two] ساعتين
    [few] { $count } ساعات
    [many] { $count } ساعة
   *[other] { $count } ساعة
}
days = { $count ->
    [zero] { $count } يوم
    [one] يوم واحد
    [two] يومين
    [few] { $count } أيام
    [many] { $count } يومًا
   *[other] { $count } يوم
}
try-again = حاول الآن
open-link = افتح الرابط مرة أخرى
open-plain = افتح الرابط بدونه
sessions = جلساتك
own-session = انتقل إلى تلك الجلسة
end-own = أنهِها وابدأ من جديد
own-ends = تلك الجلسة قيد الإنهاء، ويجري حفظ ملفاتك.
start = صفحة البداية
ask = إذا احتجت إلى مساعدة، فاسأل
reference = الرقم المرجعي
reference-use = اذكر هذا الرقم المرجعي عند طلب المساعدة. فهو يبيّن متى ظهرت هذه الصفحة ولماذا، ولا شيء عنك.
copy = نسخ
copied = تم النسخ
banned = الطلبات الواردة من { $label } غير مسموح بها.
provider-says = رسالة خدمة تسجيل الدخول: «{ $words }»
