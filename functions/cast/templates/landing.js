(() => {
  const form = document.getElementById('start'), button = form.querySelector('button'), opened = Date.now();
  let sent = false;
  form.addEventListener('submit', (event) => {
    const stale = Date.now() - opened > (form.dataset.goodFor - 15) * 1000;
    if (sent || stale) event.preventDefault();
    if (sent) return;
    if (stale) {
      // A fresh page holds a fresh ticket, and starts by itself.
      history.replaceState(null, '');
      return location.reload();
    }
    sent = true;
    history.replaceState('started', '');
    button.classList.add('busy');
    button.textContent = 'Starting\u2026';
  });
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  // Whoever comes back finds the button, and in another site's frame only a click may start anything.
  if (history.state === 'started' || top !== self) return;
  const start = () => {
    if (!sent && !document.prerendering && document.visibilityState === 'visible') form.requestSubmit();
  };
  document.addEventListener('visibilitychange', start);
  document.addEventListener('prerenderingchange', start);
  start();
})();
