(() => {
  const find = (id) => document.getElementById(id), { link, wait } = find('help').dataset, copy = find('copy');
  // Loading the page again opens the link, and shows no old answer.
  if (link) history.replaceState(null, '', link);
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener('click', async () => {
      await navigator.clipboard.writeText(find('reference').textContent);
      copy.textContent = copy.dataset.done;
    });
  }
  if (!link || !wait) return;
  // Not all who wait come back in the same moment.
  const until = Date.now() + wait * 1000 + Math.random() * Math.min(wait * 50, 5000);
  const say = (count, unit) => new Intl.NumberFormat(document.documentElement.lang + '-u-nu-latn', { style: 'unit', unit, unitDisplay: 'long' }).format(Math.ceil(count));
  const tick = () => {
    const left = Math.max(0, (until - Date.now()) / 1000);
    find('left').textContent = left <= 90 ? say(left, 'second') : left <= 5400 ? say(left / 60, 'minute') : say(left / 3600, 'hour');
    // A hidden page waits until its visitor looks at it again.
    if (left || document.hidden) return;
    clearInterval(timer);
    location.replace(link);
  };
  const timer = setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
})();
