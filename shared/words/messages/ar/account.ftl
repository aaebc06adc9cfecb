### Arabic: signing in, and the list of one's sessions.

signed-in = لقد سجّلت الدخول
signed-in-as = تم الدخول باسم { $name }
go-on = افتح الرابط الذي أُعطيته.
signed-out = لقد سجّلت الخروج
sessions-go-on = تستمر الجلسات التي بدأتها في العمل.
sessions = جلساتك
no-sessions = ليست لديك جلسة عاملة.
starting-since = قيد البدء منذ { $time }
running-since = تعمل منذ { $time }
ending-since = قيد الإنهاء، بدأت { $time }
enter = انتقل إليها
end = إنهاء
end-question = هل تريد إنهاء هذه الجلسة؟
sign-in = تسجيل الدخول
sign-out = تسجيل الخروج
