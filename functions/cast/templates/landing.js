(() => {
  const doc = document, find = (id) => doc.getElementById(id), form = find('start'), said = form.dataset, framed = 'framed' in said, button = form.querySelector('button');
  const until = Date.now() + said.goodFor * 1000, proof = find('proof'), token = form.elements.captcha;
  const say = (what) => proof && (proof.textContent = proof.dataset[what] || '');
  // Loaded by itself, a page says no more which site it was opened from; the link that knows it stands in the form.
  const again = (hash = '') => said.again ? location.replace(said.again + hash) : location.reload();
  let sent, proving, wanted;
  form.addEventListener('submit', (event) => {
    const stale = Date.now() > until - 15000;
    if (sent || stale) event.preventDefault();
    if (sent) return;
    if (stale) {
      // A fresh page holds a fresh ticket, and starts by itself.
      history.replaceState(null, '');
      return again();
    }
    if (said.proofFields && !event.submitter?.formNoValidate && !said.proofFields.split(' ').some((name) => form.elements[name]?.value)) {
      event.preventDefault();
      return prove(1);
    }
    sent = 1;
    const pressed = event.submitter ?? button;
    pressed.textContent = pressed.dataset.busy;
    if (framed) return;
    history.replaceState('started', '');
    pressed.classList.add('busy');
    event.preventDefault();
    sendClaim(form, event.submitter, find('line'), until, again);
  });
  // Whoever comes back from the window that a frame opened finds a fresh ticket, and may start once more.
  if (framed) doc.addEventListener('visibilitychange', () => sent && !doc.hidden && again());
  addEventListener('pageshow', (event) => event.persisted && again('#started'));

  const prove = async (submit) => {
    wanted ||= submit;
    // A provider's box that stayed empty never came.
    if (!token) return say(form.querySelector('.captcha').childElementCount ? 'missing' : 'failed');
    if (proving) return;
    proving = 1;
    say('busy');
    try {
      token.value = await solve(token.dataset);
      // A frame opens its window only soon after a click.
      const late = framed && wanted && navigator.userActivation?.isActive === false;
      say(late && 'done');
      if (wanted && !late) form.requestSubmit();
    } catch {
      say('failed');
    }
    proving = wanted = 0;
  };
  if (framed && token?.dataset.challenge) prove();

  // Whoever comes back finds the button, and in another site's frame only a click may start anything.
  if (!('auto' in said) || navigator.webdriver || history.state === 'started' || location.hash === '#started' || top !== self) return;
  const start = () => sent || doc.prerendering || doc.hidden || form.requestSubmit();
  doc.addEventListener('visibilitychange', start);
  doc.addEventListener('prerenderingchange', start);
  start();
})();
