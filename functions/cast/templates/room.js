(() => {
  const find = (id) => document.getElementById(id), claim = find('claim');
  let pause = Number(claim.dataset.askIn), sent = false, timer;
  claim.addEventListener('submit', (event) => {
    event.preventDefault();
    if (sent) return;
    sent = true;
    clearTimeout(timer);
    sendClaim(claim, event.submitter, find('line'), Infinity);
  });
  const ask = async () => {
    let lost = false;
    timer = undefined;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'application/json' }, cache: 'no-store' });
      if (sent) return;
      if (answer.ok) {
        const now = await answer.json();
        pause = now.ask_in_seconds;
        if (find('position').textContent !== now.message) find('position').textContent = now.message;
        find('turn').hidden = !now.turn;
        if (now.turn) return claim.requestSubmit();
      } else if (answer.status < 500 && answer.status !== 429) return location.reload();
      else lost = true;
    } catch { lost = true; }
    find('trouble').hidden = !lost;
    timer = setTimeout(ask, pause * 1000 * (.85 + Math.random() * .3));
  };
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || sent || !timer) return;
    clearTimeout(timer);
    ask();
  });
  ask();
})();
