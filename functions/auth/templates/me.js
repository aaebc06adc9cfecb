for (const time of document.querySelectorAll('time')) {
  const at = new Date(time.dateTime), today = at.toDateString() === new Date().toDateString();
  time.textContent = at.toLocaleString(document.documentElement.lang + '-u-nu-latn', today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}
for (const form of document.querySelectorAll('[data-question]')) {
  form.addEventListener('submit', (event) => confirm(form.dataset.question) || event.preventDefault());
}
