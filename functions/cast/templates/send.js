// Sends a claim until it gets through: the same ticket leads to the same session, however often it arrives.
const sendClaim = async (form, pressed, line, until, renew) => {
  const reply = 'casting-reply', page = 'location';
  if (pressed?.name) form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: pressed.name, value: pressed.value }));
  const ask = async (url, options) => {
    const answer = await fetch(url, { cache: 'no-store', ...options }), { headers, status } = answer;
    if (headers.has(reply) || (status !== 429 && status < 500)) return answer;
    throw answer;
  };
  for (let wait = 1000; ; wait = Math.min(wait * 2, 16000)) {
    let after = 0;
    try {
      if (Date.now() > until) {
        // Loaded again only when it can be.
        await ask(location.href);
        return renew();
      }
      const answer = await ask(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { accept: 'text/html', [reply]: page } });
      if (answer.headers.get(reply) === page) return location.assign((await answer.json())[page]);
      // A page: only the form itself can show it.
      return form.submit();
    } catch (lost) {
      line.textContent = line.dataset[lost.status ? 'crowd' : 'trouble'];
      after = lost.headers?.get('retry-after') * 1000 || 0;
    }
    await new Promise((done) => setTimeout(done, after + wait * (.5 + Math.random())));
  }
};
