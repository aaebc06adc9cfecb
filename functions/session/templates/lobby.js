(() => {
  const trouble = document.getElementById('trouble'), EVERY = 2500;
  let timer;
  const ask = async () => {
    let lost = false;
    timer = undefined;
    try {
      const answer = await fetch(location.pathname, { headers: { accept: 'application/json' }, cache: 'no-store' });
      if (answer.ok) {
        const { state } = await answer.json();
        if (state !== 'waiting') return location.replace(location.pathname);
      } else if (answer.status < 500 && answer.status !== 429) return location.reload();
      else lost = true;
    } catch { lost = true; }
    const said = lost ? trouble.dataset.says : '';
    if (trouble.textContent !== said) trouble.textContent = said;
    timer = setTimeout(ask, EVERY * (.85 + Math.random() * .3));
  };
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || !timer) return;
    clearTimeout(timer);
    ask();
  });
  timer = setTimeout(ask, EVERY);
})();
