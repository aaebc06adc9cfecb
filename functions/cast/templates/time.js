// Writes times as the visitor's clock shows them.
for (const time of document.querySelectorAll('time')) time.textContent = new Date(time.dateTime).toLocaleTimeString(document.documentElement.lang + '-u-nu-latn', { timeStyle: 'short' });
