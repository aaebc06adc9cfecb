(() => {
  const find = (id) => document.getElementById(id), list = find('steps'), steps = [...list.children];
  const session = list.dataset.session, began = Date.now() - list.dataset.waited * 1000;
  // When to ask, in milliseconds since the start began; the last interval repeats. A queued start begins at its turn.
  const questions = list.dataset.questions.split(',').map(Number);
  let start = Date.now() - list.dataset.age * 1000;
  let step = Number(list.dataset.step), timer, gone = false;
  const pause = () => {
    const age = Date.now() - start;
    if (age < 0) return Math.min(5000, 100 - age);
    const next = questions.find((time) => time > age + 100);
    return next ? next - age : questions.at(-1) - questions.at(-2);
  };
  const leave = (to) => {
    gone = true;
    if (to) location.replace(to); else location.reload();
  };
  const show = (now) => {
    if (now === step) return;
    step = now;
    steps.forEach((item, index) => {
      item.className = index < step ? 'done' : index === step ? 'now' : 'next';
      item.textContent = index < step ? item.dataset.done : item.dataset.doing;
      if (index === step) item.setAttribute('aria-current', 'step'); else item.removeAttribute('aria-current');
    });
    if (steps[step]) find('said').textContent = steps[step].dataset.doing;
  };
  const ask = async () => {
    let lost = false;
    timer = undefined;
    try {
      const answer = await fetch(session + '/status', { headers: { accept: 'application/json' }, cache: 'no-store' });
      if (answer.ok) {
        const status = await answer.json();
        if (status.starts_in) start = Date.now() + status.starts_in * 1000;
        find('queued').hidden = !status.message;
        if (status.message && find('queued').textContent !== status.message) find('queued').textContent = status.message;
        if (status.step) show(status.step);
        if (status.state === 'ready') return leave('stay' in list.dataset ? '' : session + '/enter');
        if (status.state !== 'reserved' && status.state !== 'starting') return leave();
      } else if (answer.status < 500 && answer.status !== 429) return leave();
      else lost = true;
    } catch { lost = true; }
    find('trouble').hidden = !lost;
    timer = setTimeout(ask, (document.hidden ? Math.max(5000, pause()) : pause()) * (.9 + Math.random() * .2));
  };
  setInterval(() => {
    const waited = Math.max(0, Math.floor((Date.now() - began) / 1000));
    find('waited').textContent = Math.floor(waited / 60) + ':' + String(waited % 60).padStart(2, '0');
    find('slow').hidden = waited < list.dataset.slow;
  }, 1000);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || gone || !timer) return;
    clearTimeout(timer);
    ask();
  });
  addEventListener('pageshow', (event) => event.persisted && location.reload());
  timer = setTimeout(ask, pause());
})();
