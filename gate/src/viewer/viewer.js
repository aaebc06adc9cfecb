// The viewer: shows how the session stands, keeps the app's window in its frame, and does what the panel's buttons say without leaving the page.
import { movable } from './handle.js';
import { tools } from './tools.js';
import { has, words } from './words.js';

const root = document.documentElement, frame = document.getElementById('app'), banner = document.getElementById('banner');
const find = (id) => document.getElementById(id);
const post = (path, fields) => fetch(path, { method: 'POST', body: new URLSearchParams(fields), headers: { accept: 'application/json', 'casting-language': root.lang } });
const LATE = 300, TOUCH_EVERY = 5000;
// Longer than any session, in minutes: an idle limit that never holds.
const UNTOUCHED = 365 * 24 * 60;
let view = JSON.parse(root.dataset.view), since = performance.now(), shown, lost = false, pause = 500, problem = '', kit = null;

// The page goes elsewhere by itself, or because its owner ended the session.
let leaving = false;
const leave = (go) => {
  leaving = true;
  go();
};

// Seconds that are left of a time that was told a moment ago.
const left = (seconds) => (seconds === null ? null : Math.max(0, Math.round(seconds - (performance.now() - since) / 1000)));
const clock = (seconds) => {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((n) => String(n).padStart(2, '0'));
  return (parts[0] === '00' ? parts.slice(1) : parts).join(':');
};

// The app itself, on an origin of its own where the edge leads the frame there. A screen is told how to fit its picture in; it is loaded anew when that
// changes.
const panel = find('panel');
const app = root.dataset.app, encode = (text) => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const show = () => {
  const query = new URLSearchParams();
  if ('resizes' in root.dataset) {
    query.set('autoconnect', '1');
    const { scaling, quality } = kit?.settings() ?? {};
    query.set('resize', view.fixed || view.role !== 'owner' ? 'scale' : scaling || 'remote');
    if (quality !== undefined) query.set('quality', quality);
    if (view.role === 'viewer') query.set('view_only', '1');
    if (root.dataset.pastes !== 'true') query.set('paste', '0');
    if ('ime' in root.dataset) query.set('enable_ime', '1');
    // KasmVNC's client has an idle limit of its own, in minutes; the session's is the gate's. Its message `set_idle_timeout` would not do: the client then
    // saves the first choice of its menu, ten minutes, and takes that with the next change of its window.
    if ('sound' in root.dataset) query.set('idle_disconnect', String(UNTOUCHED));
    // In a frame KasmVNC's client leaves the clipboard off unless it is told.
    if ('sound' in root.dataset && view.role !== 'viewer') {
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

const told = find('told'), later = find('later'), extend = find('extend');
const say = (text, kind) => {
  if (told.textContent !== text) told.textContent = text;
  banner.className = kind || '';
  banner.hidden = !text;
  if (later) later.hidden = kind !== 'late' || !view.extension?.left;
};

const tick = () => {
  mark();
  const ends = left(view.ends_in), idle = left(view.idle_in), reclaimed = left(view.reclaimed_in);
  if (find('left') && ends !== null) find('left').textContent = clock(ends);
  if (view.over) say(words(has('over-' + view.over) ? 'over-' + view.over : 'over'), 'covers');
  else if (lost) say(words('lost'), 'warns');
  else if (problem) say(problem, 'warns');
  else if (reclaimed !== null) say(words('reclaimed', { left: clock(reclaimed) }), 'warns');
  else if (idle !== null && idle <= view.idle_warning) say(words('idle', { left: clock(idle) }), 'warns');
  else if (ends !== null && ends <= LATE) say(words('late', { left: clock(ends) }), 'late');
  else say('');
};

// What an administrator has sent, until its reader closes it.
const message = find('message');
const showMessage = () => {
  if (!message) return;
  const unread = view.message && sessionStorage.getItem('read') !== String(view.message.at);
  const words = unread ? 'Message from an administrator: ' + view.message.text : '', place = message.querySelector('p');
  message.hidden = !unread;
  if (place.textContent !== words) place.textContent = words;
};
if (message) message.querySelector('button').onclick = () => {
  sessionStorage.setItem('read', String(view.message.at));
  showMessage();
  frame.contentWindow.focus();
};

// Whose picture it is, and when: what a screenshot shows.
const marks = find('watermark'), MARKS = 12;
const mark = () => {
  if (!marks || !view.watermark) return;
  const now = new Date().toISOString(), text = view.watermark + ' \u00b7 ' + now.slice(0, 10) + ' ' + now.slice(11, 16) + ' UTC';
  if (marks.lastChild.textContent === text && marks.children.length === MARKS) return;
  marks.replaceChildren(...Array.from({ length: MARKS }, () => {
    const one = document.createElement('span');
    one.textContent = text;
    return one;
  }));
};

// A name that a guest gave is no proof of who it is, and an administrator is known by the word.
const nameOf = ({ name, kind }) => (kind === 'known' ? name : words(kind, { name }));
const button = (text, label, press) => {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'quiet';
  made.textContent = text;
  made.setAttribute('aria-label', label);
  made.onclick = press;
  return made;
};
const line = (text) => {
  const made = document.createElement('span');
  made.textContent = text;
  return made;
};

// Those who ask to watch: the first of them stands over the picture, all of them in the panel. A second click does not answer the next one, who has just
// taken that place.
const lobby = find('lobby'), HESITATE = 700;
let waiting = '', first, changed = 0;
const request = (one) => {
  const name = nameOf(one), answer = (admit) => () => {
    if (performance.now() - changed > HESITATE) act('answer', { watcher: one.id, admit });
  };
  const letIn = button(words('let-in'), words('let-in-name', { name }), answer(1));
  letIn.className = '';
  return [line(words('asks', { name })), letIn, button(words('turn-away'), words('turn-away-name', { name }), answer(0))];
};
// Whoever answers by keys goes on with the next one, or back.
const draw = (place, children, back) => {
  const answers = place.contains(document.activeElement);
  place.replaceChildren(...children);
  if (answers) (place.querySelector('button') ?? back).focus();
};
const showLobby = () => {
  const told = JSON.stringify(view.waiting), [next] = view.waiting, list = find('waiting');
  if (find('gatekeep')) {
    const label = document.querySelector('label[for=link]');
    find('gatekeep').checked = view.lobby;
    label.textContent = view.lobby ? label.dataset.asks : label.dataset.watches;
  }
  if (told === waiting) return;
  waiting = told;
  changed = performance.now();
  if (next?.id !== first) {
    first = next?.id;
    lobby.hidden = !next;
    draw(lobby, next ? request(next) : [], frame.contentWindow);
  }
  if (list) draw(list, view.waiting.map((one) => {
    const item = document.createElement('li');
    item.append(...request(one));
    return item;
  }), panel.querySelector('summary'));
  find('asked').textContent = view.waiting.map((one) => words('asks', { name: nameOf(one) })).join('. ');
};

// Nobody is watched by an administrator without knowing it, with a panel or without.
const observed = find('observed');
const showObservers = () => {
  if (!observed) return;
  const names = view.watchers.filter((one) => one.kind === 'administrator').map((one) => one.name);
  const text = names.length ? words('observed', { name: names.join(', ') }) : '';
  if (observed.textContent !== text) observed.textContent = text;
  observed.hidden = !text;
};

let listed = '';
// Drawn only when it has changed, so that a button stays where it is while it is pressed.
const listWatchers = () => {
  const list = find('watchers'), told = JSON.stringify([view.watchers, view.lobby]);
  if (told === listed) return;
  listed = told;
  list.replaceChildren(...view.watchers.map((watcher) => {
    const item = document.createElement('li'), name = nameOf(watcher), { controls, id } = watcher;
    item.append(line(words(controls ? 'controls' : 'watches', { name })));
    item.append(button(words(controls ? 'take-back' : 'hand-over'), words(controls ? 'take-back-from' : 'hand-over-to', { name }),
      () => act('control', { watcher: controls ? '' : id })));
    if (view.lobby) item.append(button(words('remove'), words('remove-name', { name }), () => act('answer', { watcher: id, admit: 0 })));
    return item;
  }));
};

// By how much the session may be extended, where it may be; and how many watch, at the handle.
const showLimits = () => {
  const { left: times = 0, minutes = 0, used } = view.extension ?? {}, more = words('more', { count: minutes });
  if (later) later.textContent = more;
  if (extend) {
    extend.hidden = !view.extension;
    extend.querySelector('input').value = used;
    extend.querySelector('button').textContent = more;
    extend.querySelector('button').disabled = !times;
    extend.querySelector('p').textContent = times ? words('times', { count: times }) : words('all-taken');
  }
  const watched = find('watched'), many = view.watchers.length;
  if (!watched) return;
  watched.hidden = !many;
  watched.textContent = words('watching', { count: many });
  panel.querySelector('summary').setAttribute('aria-label', many ? words('panel-watched', { count: many }) : words('panel'));
};

// A browser isolates the frame only within a page that was loaded isolated itself.
const isolated = view.isolated;
const apply = (told) => {
  if (told.isolated !== isolated) return leave(() => location.reload());
  view = told;
  since = performance.now();
  if (view.over && 'owner' in root.dataset) return location.replace(root.dataset.sessionPage);
  show();
  showLimits();
  showMessage();
  showObservers();
  if (lobby) showLobby();
  kit?.offer();
  if (find('role')) find('role').textContent = words(view.role === 'controller' ? 'role-controller' : 'role-viewer');
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
  problem = answer && answer.ok ? '' : (answer && (await answer.json().catch(() => ({}))).detail) || words('failed');
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
    if (find('connection')) find('connection').textContent = words('good');
    apply(JSON.parse(event.data));
  };
  events.onerror = async () => {
    if (view.over) return events.close();
    lost = true;
    delete root.dataset.connected;
    if (find('connection')) find('connection').textContent = words('bad');
    tick();
    if (events.readyState !== EventSource.CLOSED) return;
    // What answers in the session's place when it is over says so better than this page can.
    const answer = await fetch('state', { cache: 'no-store' }).catch(() => undefined);
    if (answer && [403, 404, 410].includes(answer.status)) return leave(() => location.reload());
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
  if (!find('tips')?.open && !panel?.open) frame.contentWindow.focus();
});

// A phone's keyboard covers the lower part of the page, which is where the session is looked at while it is typed into.
const seen = window.visualViewport, COVERED = 100;
seen?.addEventListener('resize', () => {
  const covered = seen.scale === 1 && window.innerHeight - seen.height > COVERED;
  frame.style.height = covered ? seen.height + 'px' : '';
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
if (panel) {
  movable(panel);
  kit = tools({
    frame, app, view: () => view, reload: show,
    notify: (text) => {
      problem = text;
      tick();
      setTimeout(() => { problem = ''; tick(); }, 4000);
    },
  });
  const open = () => {
    panel.open = true;
    panel.querySelector('summary').focus();
  };
  addEventListener('keydown', (event) => { if (event.ctrlKey && event.altKey && event.shiftKey && event.code === 'KeyM') open(); });
  addEventListener('message', (event) => {
    if (event.source === frame.contentWindow && event.data?.action === 'open_panel') open();
  });
  const close = () => {
    panel.open = false;
    frame.contentWindow.focus();
  };
  panel.addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
  panel.addEventListener('click', (event) => { if (event.target === panel) close(); });
  // A click beside the panel is one into the frame, which takes the focus; so the focus must not be there yet.
  panel.addEventListener('toggle', () => { if (panel.open && document.activeElement === frame) panel.querySelector('summary').focus(); });
  addEventListener('blur', () => setTimeout(() => { if (document.activeElement === frame) panel.open = false; }));
}
if (find('full') && document.fullscreenEnabled) {
  find('full').hidden = false;
  find('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
  document.addEventListener('fullscreenchange', () => { find('full').textContent = words(document.fullscreenElement ? 'leave-full-screen' : 'full-screen'); });
}
if (later) later.onclick = () => act('extend', { used: view.extension.used });
['begin', 'stop', 'open', 'extend'].forEach((id) => find(id) && find(id).addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  if (await act(form.getAttribute('action'), new FormData(form)) && id === 'open') form.reset();
}));
if (find('copy')) {
  find('copy').onclick = async () => {
    find('link').select();
    await navigator.clipboard.writeText(find('link').value).catch(() => {});
    find('copy').textContent = words('copied');
    setTimeout(() => { find('copy').textContent = words('copy'); }, 2000);
  };
}
const gatekeep = find('gatekeep');
if (gatekeep) gatekeep.onchange = async () => {
  if (!await act('lobby', { on: gatekeep.checked ? 1 : 0 })) gatekeep.checked = view.lobby;
};
// Closing the tab of a live session asks, once; the switch in the panel turns that off.
const ask = find('ask');
if (ask) {
  let asked = false;
  ask.checked = localStorage.getItem('ask') !== 'off';
  ask.onchange = () => localStorage.setItem('ask', ask.checked ? 'on' : 'off');
  document.addEventListener('submit', (event) => { leaving ||= event.target.getAttribute('action') === 'end'; });
  addEventListener('beforeunload', (event) => {
    // Browsers ask only where somebody has clicked or typed, and complain elsewhere.
    if (!navigator.userActivation?.hasBeenActive) return;
    if (!ask.checked || asked || leaving || lost || view.over) return;
    asked = true;
    event.preventDefault();
  });
}
setInterval(() => {
  if (navigator.userActivation?.isActive) touch();
  tick();
}, 1000);
apply(view);
listen();
