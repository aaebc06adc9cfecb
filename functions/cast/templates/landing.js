(() => {
  const form = document.getElementById('start'), button = form.querySelector('button'), opened = Date.now();
  const proof = document.getElementById('proof'), token = form.elements.captcha, kind = form.dataset.captcha;
  const say = (what) => { if (proof) proof.textContent = what ? proof.dataset[what] : ''; };
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
    if (kind && !hasProof()) {
      event.preventDefault();
      return prove();
    }
    sent = true;
    history.replaceState('started', '');
    button.classList.add('busy');
    button.textContent = button.dataset.busy;
  });
  addEventListener('pageshow', (event) => event.persisted && location.reload());

  const hasProof = () => ['captcha', 'g-recaptcha-response', 'h-captcha-response', 'cf-turnstile-response'].some((name) => form.elements[name]?.value);
  let proving;
  const prove = async () => {
    // A provider's box that stayed empty never came.
    if (!token) return say(form.querySelector('.captcha').childElementCount ? 'missing' : 'failed');
    if (proving) return;
    proving = true;
    say('busy');
    try {
      token.value = token.dataset.challenge
        ? await solveAltcha(JSON.parse(token.dataset.challenge))
        : await new Promise((done, failed) => grecaptcha.ready(() => grecaptcha.execute(token.dataset.sitekey, { action: token.dataset.action }).then(done, failed)));
      say('');
      form.requestSubmit();
    } catch {
      say('failed');
    }
    proving = false;
  };

  // Whoever comes back finds the button, and in another site's frame only a click may start anything.
  if (!('auto' in form.dataset) || history.state === 'started' || top !== self) return;
  const start = () => {
    if (!sent && !document.prerendering && document.visibilityState === 'visible') form.requestSubmit();
  };
  document.addEventListener('visibilitychange', start);
  document.addEventListener('prerenderingchange', start);
  start();
})();
