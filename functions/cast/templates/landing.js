(() => {
  const form = document.getElementById('start'), framed = 'framed' in form.dataset, button = form.querySelector('button'), opened = Date.now();
  const proof = document.getElementById('proof'), token = form.elements.captcha, kind = form.dataset.captcha;
  const say = (what) => { if (proof) proof.textContent = what ? proof.dataset[what] : ''; };
  // Loaded by itself, a page says no more which site it was opened from; the link that knows it stands in the form.
  const again = (hash = '') => form.dataset.again ? location.replace(form.dataset.again + hash) : location.reload();
  for (const time of document.querySelectorAll('time')) time.textContent = new Date(time.dateTime).toLocaleTimeString(document.documentElement.lang + '-u-nu-latn', { timeStyle: 'short' });
  let sent = false;
  // Without cookies a session would belong to nobody. Browsers that drop them may still say that they are on.
  document.cookie = 'kept=1;max-age=9';
  const blocked = !framed && !document.cookie.includes('kept=1');
  document.getElementById('cookies').hidden = !blocked;
  form.addEventListener('submit', (event) => {
    if (blocked) return event.preventDefault();
    const stale = Date.now() - opened > (form.dataset.goodFor - 15) * 1000;
    if (sent || stale) event.preventDefault();
    if (sent) return;
    if (stale) {
      // A fresh page holds a fresh ticket, and starts by itself.
      history.replaceState(null, '');
      return again();
    }
    if (kind && !hasProof()) {
      event.preventDefault();
      return prove();
    }
    sent = true;
    const pressed = event.submitter ?? button;
    pressed.textContent = pressed.dataset.busy;
    if (framed) return;
    history.replaceState('started', '');
    pressed.classList.add('busy');
    event.preventDefault();
    sendClaim(form, event.submitter, document.getElementById('line'), opened + form.dataset.goodFor * 1000, again);
  });
  // Whoever comes back from the window that a frame opened finds a fresh ticket, and may start once more.
  if (framed) document.addEventListener('visibilitychange', () => sent && document.visibilityState === 'visible' && again());
  addEventListener('pageshow', (event) => event.persisted && again('#started'));

  const hasProof = () => form.dataset.proofFields.split(' ').some((name) => form.elements[name]?.value);
  let proving, wanted;
  const prove = async (submit = true) => {
    wanted ||= submit;
    // A provider's box that stayed empty never came.
    if (!token) return say(form.querySelector('.captcha').childElementCount ? 'missing' : 'failed');
    if (proving) return;
    proving = true;
    say('busy');
    try {
      token.value = token.dataset.challenge
        ? await solveAltcha(JSON.parse(token.dataset.challenge))
        : await new Promise((done, failed) => grecaptcha.ready(() => grecaptcha.execute(token.dataset.sitekey, { action: token.dataset.action }).then(done, failed)));
      // A frame opens its window only soon after a click.
      const late = framed && wanted && navigator.userActivation?.isActive === false;
      say(late ? 'done' : '');
      if (wanted && !late) form.requestSubmit();
    } catch {
      say('failed');
    }
    proving = wanted = false;
  };
  if (framed && token?.dataset.challenge) prove(false);

  // Whoever comes back finds the button, and in another site's frame only a click may start anything.
  if (!('auto' in form.dataset) || blocked || navigator.webdriver || history.state === 'started' || location.hash === '#started' || top !== self) return;
  const start = () => {
    if (!sent && !document.prerendering && document.visibilityState === 'visible') form.requestSubmit();
  };
  document.addEventListener('visibilitychange', start);
  document.addEventListener('prerenderingchange', start);
  start();
})();
