// The viewer: shows how the session stands, keeps the app's window in its frame, and does what the panel's buttons say without leaving the page.
const root = document.documentElement, frame = document.getElementById('app'), banner = document.getElementById('banner');
const find = (id) => document.getElementById(id);
const post = (path, fields) => fetch(path, { method: 'POST', body: new URLSearchParams(fields), headers: { accept: 'application/json' } });
const WHY = {
  'time-limit': 'its time was up', abandoned: 'nobody had been there for a while', 'not-entered': 'nobody had entered it for a while', idle: 'nobody had touched it for a while',
  owner: 'its owner ended it', reclaimed: 'the machine that it ran on was needed elsewhere',
  elsewhere: 'it was ended on its page or by an administrator',
};
const LATE = 300, TOUCH_EVERY = 5000;
let view = JSON.parse(root.dataset.view), since = performance.now(), shown, lost = false, pause = 500, problem = '';

// Seconds that are left of a time that was told a moment ago.
const left = (seconds) => (seconds === null ? null : Math.max(0, Math.round(seconds - (performance.now() - since) / 1000)));
const clock = (seconds) => {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((n) => String(n).padStart(2, '0'));
  return (parts[0] === '00' ? parts.slice(1) : parts).join(':');
};

// The app itself, on an origin of its own where the edge leads the frame there. A screen is told how to fit its picture in; it is loaded anew when that
// changes.
const app = root.dataset.app, encode = (text) => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const show = () => {
  const query = new URLSearchParams();
  if ('resizes' in root.dataset) {
    query.set('autoconnect', '1');
    query.set('resize', view.fixed || view.role !== 'owner' ? 'scale' : 'remote');
    if (view.role === 'viewer') query.set('view_only', '1');
    if ('ime' in root.dataset) query.set('enable_ime', '1');
    // In a frame KasmVNC's client leaves the clipboard off unless it is told.
    if ('sound' in root.dataset && view.part !== 'viewer') {
      const copies = root.dataset.copies === 'true', pastes = root.dataset.pastes === 'true';
      query.set('clipboard_down', copies ? '1' : '0');
      query.set('clipboard_up', pastes ? '1' : '0');
      query.set('clipboard_seamless', copies && pastes ? '1' : '0');
    }
  }
  // A streaming server's page asks who somebody is when it is loaded, so it is loaded anew when that changes. That there are tokens is all that it is
  // told of them: the gate has them.
  if ('streams' in root.dataset) {
    query.set('part', view.role);
    query.set('size', view.fixed ? 'fixed' : 'window');
  }
  const token = 'streams' in root.dataset ? '#token=session' : '';
  const first = query.size ? '?' + query : '';
  const address = root.dataset.frame + (app && first ? '?to=' + encode('/' + first) : first) + token;
  if (address !== shown) frame.src = shown = address;
};

// A screen of KasmVNC asks its frame's page whether sound is on from the start.
if ('sound' in root.dataset) addEventListener('message', (event) => {
  if (event.source !== frame.contentWindow || event.origin !== (app || location.origin) || event.data?.action !== 'get_sound_setting') return;
  event.source.postMessage({ action: 'sound_enabled', data: root.dataset.sound === 'true' }, event.origin);
});

const say = (words, kind) => {
  if (banner.textContent !== words) banner.textContent = words;
  banner.className = kind || '';
  banner.hidden = !words;
};

const tick = () => {
  const ends = left(view.ends_in), idle = left(view.idle_in), reclaimed = left(view.reclaimed_in);
  if (find('left') && ends !== null) find('left').textContent = clock(ends);
  if (view.over) say('This session has ended: ' + (WHY[view.over] || 'it is over') + '.', 'covers');
  else if (lost) say('The connection is lost; trying again.', 'warns');
  else if (problem) say(problem, 'warns');
  else if (reclaimed !== null) say('This machine is needed elsewhere: the session ends in ' + clock(reclaimed) + '. Please save your work.', 'warns');
  else if (idle !== null && idle <= view.idle_warning) say('Are you still there? The session ends in ' + clock(idle) + ' unless you touch it.', 'warns');
  else if (ends !== null && ends <= LATE) say('The session ends in ' + clock(ends) + '.', 'warns');
  else say('');
};

let listed = '';
// Drawn only when it has changed, so that a button stays where it is while it is pressed.
const listWatchers = () => {
  const list = find('watchers'), told = JSON.stringify(view.watchers);
  if (told === listed) return;
  listed = told;
  list.replaceChildren(...view.watchers.map((watcher) => {
    const item = document.createElement('li'), name = document.createElement('span'), button = document.createElement('button');
    name.textContent = watcher.name + (watcher.controls ? ' has control' : ' watches');
    button.type = 'button';
    button.className = 'quiet';
    button.textContent = watcher.controls ? 'Take back' : 'Hand over';
    button.setAttribute('aria-label', (watcher.controls ? 'Take control back from ' : 'Hand control over to ') + watcher.name);
    button.onclick = () => act('control', { watcher: watcher.controls ? '' : watcher.id });
    item.append(name, button);
    return item;
  }));
};

const apply = (told) => {
  view = told;
  since = performance.now();
  if (view.over && 'owner' in root.dataset) return location.replace(root.dataset.sessionPage);
  show();
  if (find('role')) find('role').textContent = view.role === 'controller' ? 'have control' : 'are watching';
  if (find('sharing')) {
    find('begin').hidden = view.shared;
    find('stop').hidden = !view.shared;
    find('link').value = view.share_link || '';
    listWatchers();
  }
  tick();
};

// What a button asked for, done or refused in words.
const act = async (path, fields) => {
  const answer = await post(path, fields).catch(() => null);
  problem = answer && answer.ok ? '' : (answer && (await answer.json().catch(() => ({}))).detail) || 'That did not work; please try again.';
  tick();
  if (problem) setTimeout(() => { problem = ''; tick(); }, 6000);
  return !problem;
};

const listen = () => {
  const events = new EventSource('events');
  events.onmessage = (event) => {
    lost = false;
    pause = 500;
    root.dataset.connected = '';
    if (find('connection')) find('connection').textContent = 'Good';
    apply(JSON.parse(event.data));
  };
  events.onerror = async () => {
    if (view.over) return events.close();
    lost = true;
    delete root.dataset.connected;
    if (find('connection')) find('connection').textContent = 'Lost';
    tick();
    if (events.readyState !== EventSource.CLOSED) return;
    // What answers in the session's place when it is over says so better than this page can.
    const answer = await fetch('state', { cache: 'no-store' }).catch(() => undefined);
    if (answer && [403, 404, 410].includes(answer.status)) return location.reload();
    setTimeout(listen, pause);
    pause = Math.min(pause * 2, 8000);
  };
};

// Signs of life count wherever they are made. The gate sees what is sent to the app; the browser tells of clicks and keys in its frame.
let touched = -TOUCH_EVERY;
const touch = () => {
  if (view.role === 'viewer' || view.idle_in === null || performance.now() - touched < TOUCH_EVERY) return;
  touched = performance.now();
  post('touch', {}).catch(() => {});
  view.idle_in = null;
  tick();
};
['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'].forEach((kind) => addEventListener(kind, touch, { capture: true, passive: true }));
frame.addEventListener('load', () => {
  if (!find('tips') || !find('tips').open) frame.contentWindow.focus();
});

const tips = find('tips');
if (tips && !sessionStorage.getItem('tips')) {
  tips.showModal();
  // An app that takes the focus when it has loaded does not take it from the dialog.
  const keep = () => setTimeout(() => { if (tips.open) tips.querySelector('button').focus(); });
  addEventListener('blur', keep);
  tips.addEventListener('close', () => removeEventListener('blur', keep));
  tips.addEventListener('close', () => { sessionStorage.setItem('tips', 'seen'); frame.contentWindow.focus(); });
}
// Ctrl+Alt+Shift+M shows the panel, also where a page of ours in the frame says that it was pressed there; Escape leads back to the app.
const panel = find('panel');
if (panel) {
  const open = () => {
    panel.open = true;
    panel.querySelector('summary').focus();
  };
  addEventListener('keydown', (event) => { if (event.ctrlKey && event.altKey && event.shiftKey && event.code === 'KeyM') open(); });
  addEventListener('message', (event) => {
    if (event.source === frame.contentWindow && event.data?.action === 'open_panel') open();
  });
  panel.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    panel.open = false;
    frame.contentWindow.focus();
  });
}
if (find('full') && document.fullscreenEnabled) {
  find('full').hidden = false;
  find('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
  document.addEventListener('fullscreenchange', () => { find('full').textContent = document.fullscreenElement ? 'Leave full screen' : 'Full screen'; });
}
['begin', 'stop', 'open'].forEach((id) => find(id) && find(id).addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  if (await act(form.getAttribute('action'), new FormData(form)) && id === 'open') form.reset();
}));
if (find('copy')) {
  find('copy').onclick = async () => {
    find('link').select();
    await navigator.clipboard.writeText(find('link').value).catch(() => {});
    find('copy').textContent = 'Copied';
    setTimeout(() => { find('copy').textContent = 'Copy'; }, 2000);
  };
}
setInterval(() => {
  if (navigator.userActivation?.isActive) touch();
  tick();
}, 1000);
apply(view);
listen();
