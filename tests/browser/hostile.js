// What a hostile page tries against a session whose viewer and app are at these origins. Tells of each attempt what it got, or why it got nothing;
// what must not have happened, though nobody is told, the test looks at afterwards. `only`: the names of the attempts to be made, or null for all.
const [viewer, app, only, done] = arguments, outcomes = {};
const attempt = async (name, act) => {
  if (only && !only.includes(name)) return;
  try {
    outcomes[name] = 'got ' + String(await act()).slice(0, 80);
  } catch (error) {
    outcomes[name] = 'refused: ' + error;
  }
};
const nothing = (why) => { throw why; };
const answered = async (asked) => {
  const answer = await asked;
  return answer.type !== 'opaque' && answer.ok ? answer.text() : nothing(answer.type + ' ' + answer.status);
};
const ask = (address, options) => answered(fetch(address, { credentials: 'include', ...options }));
const form = (fields) => ({ method: 'POST', body: new URLSearchParams(fields) });
const loaded = (element, set) => new Promise((good, bad) => {
  element.onload = () => good(element);
  element.onerror = () => bad('an error');
  set(element);
  document.body.append(element);
});
const first = (source, good, bad) => new Promise((resolve, reject) => {
  source.addEventListener(good, () => { source.close(); resolve(good); });
  source.addEventListener(bad, () => { source.close(); reject(bad); });
});
const framed = async (address) => {
  const frame = await loaded(document.createElement('iframe'), (element) => { element.src = address; });
  try {
    // Frames within frames can be counted from everywhere.
    return frame.contentWindow.length ? 'a page with a frame' : nothing('no page with a frame');
  } finally { frame.remove(); }
};
const opened = async (address) => {
  const other = open(address) || nothing('no window');
  try {
    for (let n = 0; n < 100; n++) {
      if (other.closed) nothing('it is cut off');
      if (other.length) return 'a window with a frame';
      await new Promise((go) => { setTimeout(go, 50); });
    }
    return nothing('nothing to be seen');
  } finally { other.close(); }
};
const posted = async (address) => {
  const frame = document.createElement('iframe'), sent = document.createElement('form'), field = document.createElement('input');
  frame.name = 'answer' + Math.random();
  await loaded(frame, () => {});
  Object.assign(sent, { action: address, method: 'post', target: frame.name });
  Object.assign(field, { name: 'on', value: '1' });
  sent.append(field);
  document.body.append(sent);
  await new Promise((go) => { frame.onload = go; sent.submit(); });
  try { return frame.contentDocument ? frame.contentDocument.body.textContent : nothing('no document'); } finally { frame.remove(); sent.remove(); }
};

const run = async () => {
  const at = (path) => viewer + '/.cast/' + path;
  await attempt('read how it stands', () => ask(at('state')));
  await attempt('read how it stands, without CORS', () => ask(at('state'), { mode: 'no-cors' }));
  await attempt('read the page', () => ask(at('')));
  await attempt('read the way to the app', () => ask(at('app')));
  await attempt('see where the way leads', async () => {
    const answer = await fetch(at('app'), { credentials: 'include', redirect: 'manual' });
    return answer.headers.get('location') || nothing(answer.type);
  });
  await attempt('share it', () => ask(at('share'), form({ on: '1' })));
  await attempt('share it, without CORS', () => ask(at('share'), { mode: 'no-cors', ...form({ on: '1' }) }));
  await attempt('hand over control', () => ask(at('control'), form({ watcher: 'x' })));
  await attempt('share it with a header of its own', () => ask(at('share'), { headers: { 'x-mine': '1' }, ...form({ on: '1' }) }));
  await attempt('listen to events', () => first(new EventSource(at('events'), { withCredentials: true }), 'message', 'error'));
  for (const path of ['.cast/events', 'ws']) {
    await attempt('open a WebSocket to /' + path, () => first(new WebSocket(viewer.replace('http', 'ws') + '/' + path), 'open', 'error'));
  }
  await attempt('share it by a form', () => posted(at('share')));
  await attempt('end it by a form', () => posted(at('end')));
  await attempt('end it by a beacon', () => (navigator.sendBeacon(at('end'), new URLSearchParams({})) ? nothing('no answer can be read') : nothing('not sent')));
  await attempt('frame the page', () => framed(at('')));
  await attempt('frame the origin', () => framed(viewer + '/'));
  await attempt('run its script', () => loaded(document.createElement('script'), (element) => { element.src = at('viewer.js'); element.type = 'module'; }));
  await attempt('use its style', () => loaded(document.createElement('link'), (element) => { element.rel = 'stylesheet'; element.href = at('viewer.css'); }));
  await attempt('open the page in a window', () => opened(at('')));
  await attempt('reach the page around it', () => (parent === window ? nothing('there is none') : parent.document.title));
  await attempt('reach it by the domain', () => {
    document.domain = new URL(viewer).hostname;
    return parent === window ? nothing('there is none') : parent.document.title;
  });
  await attempt('read a ticket', () => (document.cookie.includes('v1.') ? document.cookie : nothing('no ticket')));
  await attempt('plant a ticket', () => {
    document.cookie = 'cast-session=planted; domain=' + new URL(viewer).hostname + '; path=/';
    return nothing('no answer can be read');
  });
  const own = location.origin === app;
  for (const path of ['.cast/', '.cast/state', '.cast/events', '.cast/app']) {
    await attempt('read /' + path + ' of the app\'s origin', () => ask(app + '/' + path));
  }
  for (const path of ['.cast/share', '.cast/end', '.cast/control', '.cast/refresh', '.cast/assign', '.cast/touch']) {
    await attempt('post to /' + path + ' of the app\'s origin', () => ask(app + '/' + path, form({ on: '1' })));
  }
  if (!own) {
    await attempt('read the app', () => ask(app + '/'));
    await attempt('post to the app', () => ask(app + '/', form({})));
    await attempt('post a form to the app', () => posted(app + '/'));
    await attempt('frame the app', async () => {
      const frame = await loaded(document.createElement('iframe'), (element) => { element.src = app + '/'; });
      return frame.contentWindow.length ? 'a page with a frame' : nothing('no page with a frame');
    });
    await attempt('open a WebSocket to the app', () => first(new WebSocket(app.replace('http', 'ws') + '/ws'), 'open', 'error'));
  }
};
run().then(() => done(outcomes), (error) => done({ error: 'got ' + error }));
