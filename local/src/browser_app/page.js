// Shows the screen, and finds it again when the connection was lost. `?resize=scale` keeps the screen's size and scales it, `off` does neither, otherwise it
// follows the window; `?quality=` is from 0 to 9; `?view_only=1` sends nothing, and `?paste=0` sets no clipboard by itself (who may do what is not decided
// here). The panel around it asks for keys and clipboard by messages.
import RFB from './novnc/core/rfb.js';
import keysyms from './novnc/core/input/keysymdef.js';

// All parts are here: start.js stops waiting for them.
dispatchEvent(new Event('started'));

const screen = document.getElementById('screen'), status = document.getElementById('status');
const asked = new URLSearchParams(location.search);
const scale = asked.get('resize') === 'scale', follows = !scale && asked.get('resize') !== 'off', quality = parseInt(asked.get('quality'), 10);
const say = (words) => { status.textContent = words; };
// In milliseconds.
const CONNECT_TIMEOUT = 20000;
let pause = 500, current;

// Input methods write into fields only, and a touch device's own keyboard shows itself for one: what comes into the field is typed, and what leaves it is
// deleted. Keys that are no part of such writing go to the screen as they are.
const BACKSPACE = 0xff08, ENTER = 0xff0d, CONTROL = 0xffe3, KEPT = ' '.repeat(40);
const soft = document.getElementById('soft'), keyboard = document.getElementById('keyboard');
const press = (keysym) => { current?.sendKey(keysym, null, true); current?.sendKey(keysym, null, false); };
// The screen's keyboard has Latin, Greek and Cyrillic letters. Text in other scripts is pasted, one after the other: the session fetches it a moment later.
const FOREIGN = /[^\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Common}\p{Script=Inherited}]|[\u{2e80}-\u{10ffff}]/u;
const FETCHED = 300, pastes = asked.get('paste') !== '0';
let free = 0;
const type = (text) => {
  const now = performance.now();
  if (now < free) return setTimeout(type, free - now, text);
  if (!pastes || !FOREIGN.test(text)) return [...text].forEach((letter) => press(letter === '\n' ? ENTER : keysyms.lookup(letter.codePointAt(0))));
  free = now + FETCHED;
  current?.clipboardPasteFrom(text);
  current?.sendKey(CONTROL, 'ControlLeft', true);
  press(keysyms.lookup('v'.codePointAt(0)));
  current?.sendKey(CONTROL, 'ControlLeft', false);
};
let before = KEPT;
soft.value = KEPT;
soft.addEventListener('input', (event) => {
  if (event.isComposing) return;
  const now = soft.value;
  let same = 0;
  while (same < before.length && before[same] === now[same]) same += 1;
  for (let gone = before.length; gone > same; gone -= 1) press(BACKSPACE);
  type(now.slice(same));
  soft.value = before = KEPT;
});
soft.addEventListener('compositionend', () => soft.dispatchEvent(new InputEvent('input')));
const WRITING = 229, UNNAMED = ['', 'Unidentified', 'Process', 'Dead'];
for (const kind of ['keydown', 'keyup']) soft.addEventListener(kind, (event) => {
  if (event.isComposing || event.keyCode === WRITING || UNNAMED.includes(event.key)) return;
  event.preventDefault();
  const locks = { modifierCapsLock: event.getModifierState('CapsLock'), modifierNumLock: event.getModifierState('NumLock') };
  const { key, code, location: side, repeat, ctrlKey, altKey, shiftKey, metaKey } = event;
  screen.querySelector('canvas')?.dispatchEvent(new KeyboardEvent(kind, { key, code, location: side, repeat, ctrlKey, altKey, shiftKey, metaKey, ...locks, cancelable: true }));
});
// Without a touch screen the field has the focus whenever the screen would; with one that would bring up the keyboard at each touch.
const touched = matchMedia('(any-pointer: coarse)').matches;
keyboard.addEventListener('click', () => (document.activeElement === soft ? soft.blur() : soft.focus()));
// A button that took the focus would put the keyboard away.
keyboard.addEventListener('pointerdown', (event) => event.preventDefault());
keyboard.hidden = asked.get('view_only') === '1' || !touched;

// What answers in a session's place when it is over says so better than this page can.
const again = async () => {
  const answer = await fetch(location.href, { cache: 'no-store' }).catch(() => undefined);
  if (answer && [403, 404, 410].includes(answer.status)) location.reload();
  else connect();
};

// The keys that show the viewer's panel, which otherwise the session would get.
addEventListener('keydown', (event) => {
  if (!(event.ctrlKey && event.altKey && event.shiftKey && event.code === 'KeyM')) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  parent.postMessage({ action: 'open_panel' }, '*');
}, { capture: true });

const tell = (message) => { if (parent !== window) parent.postMessage(message, '*'); };
const done = {
  hello: () => tell({ action: 'tools', tools: ['keys', 'type', 'clipboard'] }),
  keys: ({ keys }) => {
    keys.forEach(({ keysym, code }) => current?.sendKey(keysym, code, true));
    [...keys].reverse().forEach(({ keysym, code }) => current?.sendKey(keysym, code, false));
  },
  type: ({ text }) => type(text),
  paste: ({ text }) => { if (text) current?.clipboardPasteFrom(text); },
};
addEventListener('message', (event) => {
  if (event.source === parent && Object.hasOwn(done, event.data?.action)) done[event.data.action](event.data);
});

const connect = () => {
  const address = new URL('rfb', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  address.search = '';
  const rfb = new RFB(screen, address.href, { shared: true, wsProtocols: ['binary'] });
  rfb.scaleViewport = scale;
  rfb.resizeSession = follows;
  rfb.clipViewport = !scale && !follows;
  if (quality >= 0 && quality <= 9) rfb.qualityLevel = quality;
  rfb.viewOnly = asked.get('view_only') === '1';
  rfb.background = '#16191d';
  if (!touched) rfb.focus = () => soft.focus({ preventScroll: true });
  current = rfb;
  // Connect timeout: a screen that accepts the connection and then says nothing is asked again.
  const late = setTimeout(() => rfb.disconnect(), CONNECT_TIMEOUT);
  rfb.addEventListener('connect', () => {
    clearTimeout(late);
    pause = 500;
    say('');
    document.documentElement.dataset.connected = 'yes';
    // What is in front of this frame keeps the focus.
    if (document.hasFocus()) rfb.focus();
  });
  rfb.addEventListener('clipboard', (event) => {
    navigator.clipboard?.writeText(event.detail.text).catch(() => {});
    tell({ action: 'copied', text: event.detail.text });
  });
  rfb.addEventListener('disconnect', () => {
    clearTimeout(late);
    delete document.documentElement.dataset.connected;
    say('The connection to your session is lost; trying again.');
    setTimeout(again, pause);
    pause = Math.min(pause * 2, 8000);
  });
  // What was copied outside is there to be pasted inside, as far as the browser and the session allow it.
  const paste = () => rfb.viewOnly || navigator.clipboard?.readText?.().then((text) => text && rfb.clipboardPasteFrom(text)).catch(() => {});
  addEventListener('focus', paste);
  addEventListener('focus', () => { if (document.activeElement !== soft) rfb.focus(); });
  rfb.addEventListener('disconnect', () => removeEventListener('focus', paste));
};
connect();
done.hello();
