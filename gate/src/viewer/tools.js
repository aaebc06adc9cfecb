// The panel's tools: keys, clipboard, files, picture and sound. What there is depends on the page in the frame: it says itself which tools it takes
// (`docs/images.md` has the messages), KasmVNC's client is asked by its own. What is allowed is decided by the gate; here it is only shown.
import { Sound } from './sound.js';
import { words } from './words.js';

const find = (id) => document.getElementById(id);
const KEY = (key, code, keysym) => ({ key, code, keysym });
const CONTROL = KEY('Control', 'ControlLeft', 0xffe3), ALT = KEY('Alt', 'AltLeft', 0xffe9), TAB = KEY('Tab', 'Tab', 0xff09);
const BACKSPACE = KEY('Backspace', 'Backspace', 0xff08), ENTER = KEY('Enter', 'Enter', 0xff0d);
const CHORDS = {
  Esc: [KEY('Escape', 'Escape', 0xff1b)], Tab: [TAB], F5: [KEY('F5', 'F5', 0xffc2)], F11: [KEY('F11', 'F11', 0xffc8)],
  'Alt+Tab': [ALT, TAB], 'Alt+F4': [ALT, KEY('F4', 'F4', 0xffc1)], Super: [KEY('Meta', 'MetaLeft', 0xffeb)],
  'Ctrl+Alt+Del': [CONTROL, ALT, KEY('Delete', 'Delete', 0xffff)], 'Ctrl+C': [CONTROL, KEY('c', 'KeyC', 0x63)], 'Ctrl+V': [CONTROL, KEY('v', 'KeyV', 0x76)],
  '←': [KEY('ArrowLeft', 'ArrowLeft', 0xff51)], '↑': [KEY('ArrowUp', 'ArrowUp', 0xff52)], '↓': [KEY('ArrowDown', 'ArrowDown', 0xff54)], '→': [KEY('ArrowRight', 'ArrowRight', 0xff53)],
};
// Selkies counts quality by CRF (lower is better), noVNC from 0 to 9, KasmVNC by its presets.
const QUALITY = { low: { crf: 38, novnc: 2, kasm: 0 }, medium: { crf: 25, novnc: 6, kasm: 2 }, high: { crf: 16, novnc: 9, kasm: 3 } };
// A field for a phone's keyboard is never empty, so that something can be deleted.
const PADDING = ' '.repeat(40);
const KASM = ['clipboard', 'quality', 'bar'];

// `view`: what the gate says now. `reload`: loads the frame anew with what is in its address.
export const tools = ({ frame, app, view, reload, notify }) => {
  const allows = { ...document.documentElement.dataset };
  const isKasm = 'sound' in allows, isScreen = 'resizes' in allows;
  const origin = app || location.origin;
  // What is served beside the picture the viewer plays by itself.
  const own = 'listens' in allows ? new Sound() : null;
  let there = [...(isKasm ? KASM : []), ...(own ? ['sound'] : [])];
  const say = (message) => frame.contentWindow?.postMessage(message, origin);
  const remembered = (name) => sessionStorage.getItem(name) || '';

  // What a screen's address says of picture and size; nothing where it is left as it is.
  const settings = () => {
    const quality = QUALITY[remembered('quality')];
    return { scaling: remembered('scaling'), quality: quality && !isKasm ? quality.novnc : undefined };
  };

  const keys = find('keys'), soft = find('soft'), box = find('box'), picture = find('picture');
  if (keys) for (const [name, chord] of Object.entries(CHORDS)) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet';
    button.textContent = name;
    button.onclick = () => say({ action: 'keys', keys: chord });
    keys.append(button);
  }
  let bar = false;
  find('bar').onclick = () => {
    bar = !bar;
    find('bar').setAttribute('aria-pressed', bar);
    say({ action: bar ? 'show_keyboard_controls' : 'hide_keyboard_controls' });
  };

  // What comes into the field is typed, and what leaves it is deleted.
  let before = soft.value = PADDING;
  soft.addEventListener('input', (event) => {
    if (event.isComposing) return;
    const now = soft.value;
    let same = 0;
    while (same < before.length && before[same] === now[same]) same += 1;
    for (let gone = before.length; gone > same; gone -= 1) say({ action: 'keys', keys: [BACKSPACE] });
    now.slice(same).split('\n').forEach((line, at) => {
      if (at > 0) say({ action: 'keys', keys: [ENTER] });
      if (line) say({ action: 'type', text: line });
    });
    soft.value = before = PADDING;
    soft.setSelectionRange(PADDING.length, PADDING.length);
  });
  soft.addEventListener('compositionend', () => soft.dispatchEvent(new InputEvent('input')));
  const keyboard = find('keyboard'), shown = () => document.activeElement === soft;
  // A button that took the focus would put the keyboard away.
  keyboard.addEventListener('pointerdown', (event) => event.preventDefault());
  keyboard.onclick = () => {
    if (shown()) return soft.blur();
    soft.focus();
    soft.setSelectionRange(PADDING.length, PADDING.length);
    // Panel and keyboard together would leave nothing of the session to be seen.
    if (matchMedia('(pointer: coarse)').matches) keyboard.closest('details').open = false;
  };
  for (const kind of ['focus', 'blur']) soft.addEventListener(kind, () => keyboard.setAttribute('aria-pressed', shown()));

  const paste = (content) => say(isKasm ? { action: 'clipboardsnd', value: content.text } : { action: 'paste', ...content });
  let image = null;
  const show = (blob) => {
    image = blob;
    if (picture.src) URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(blob);
    find('pictures').hidden = false;
  };
  if (box) {
    find('send').onclick = () => {
      if (image && !box.value) paste({ image });
      else paste({ text: box.value });
      notify(words('sent-board'));
    };
    box.addEventListener('paste', (event) => {
      const pasted = [...event.clipboardData.files].find((file) => file.type === 'image/png');
      if (!pasted || !there.includes('images') || allows.pastes !== 'true') return;
      event.preventDefault();
      box.value = '';
      show(pasted);
    });
    find('take').onclick = async () => {
      const copied = image && !box.value ? navigator.clipboard.write([new ClipboardItem({ 'image/png': image })]) : navigator.clipboard.writeText(box.value);
      await copied.then(() => notify(words('taken-board')), () => notify(words('not-allowed')));
    };
    find('drop').onclick = () => {
      image = null;
      find('pictures').hidden = true;
    };
  }

  const upload = find('upload');
  upload.onchange = () => {
    say({ action: 'files', files: [...upload.files] });
    upload.value = '';
  };

  const sound = find('sound');
  let on = allows.sound ? allows.sound === 'true' : allows.plays === 'true';
  const hear = (now) => {
    on = now;
    sound.setAttribute('aria-pressed', on);
    sound.textContent = words(on ? 'sound-on' : 'sound-off');
  };
  sound.onclick = () => {
    hear(!on);
    if (own) own.play(on);
    else say({ action: 'sound', on });
  };
  hear(on);
  own?.play(on);

  const quality = find('quality'), scaling = find('scaling'), sharp = find('sharp');
  quality.value = remembered('quality') || 'medium';
  quality.onchange = () => {
    sessionStorage.setItem('quality', quality.value);
    const { crf, kasm } = QUALITY[quality.value];
    if (isKasm) say({ action: 'setvideoquality', value: kasm });
    else if (there.includes('quality')) say({ action: 'quality', crf });
    else reload();
  };
  scaling.value = remembered('scaling') || 'remote';
  scaling.onchange = () => {
    sessionStorage.setItem('scaling', scaling.value);
    reload();
  };
  sharp.onchange = () => {
    sessionStorage.setItem('sharp', sharp.checked ? '1' : '');
    say({ action: 'sharp', on: sharp.checked });
  };
  sharp.checked = remembered('sharp') === '1';

  // Which tools are shown: those that the page has, and of them what this visitor may use now.
  const offer = () => {
    const { role, fixed } = view(), uses = role !== 'viewer', has = (name) => there.includes(name);
    const ways = { copies: allows.copies === 'true', pastes: allows.pastes === 'true' };
    const shown = {
      sound: has('sound') && allows.hears === 'true',
      keyboard: uses && has('type'), special: uses && has('keys'), bar: uses && has('bar'),
      board: uses && has('clipboard') && (ways.copies || ways.pastes),
      upload: uses && has('files') && allows.uploads === 'true', files: uses && 'downloads' in allows,
      scaling: isScreen && role === 'owner' && !fixed, quality: uses && (has('quality') || isScreen), sharp: uses && has('sharp'),
    };
    for (const [name, is] of Object.entries(shown)) for (const part of document.querySelectorAll(`[data-tool="${name}"]`)) part.hidden = !is;
    for (const group of document.querySelectorAll('[data-tools]')) group.hidden = !group.querySelector('[data-tool]:not([hidden])');
    if (box) {
      find('send').hidden = !ways.pastes;
      find('take').hidden = !ways.copies;
    }
  };

  const heard = {
    tools: ({ tools: told }) => {
      if (!Array.isArray(told)) return;
      there = told;
      if (sharp.checked) say({ action: 'sharp', on: true });
      if (remembered('quality') && there.includes('quality')) say({ action: 'quality', crf: QUALITY[quality.value].crf });
      offer();
    },
    copied: ({ text, image: blob, cut }) => {
      if (!box || allows.copies !== 'true') return;
      // Of a long text the page tells the beginning; the whole is in the clipboard already.
      find('take').disabled = Boolean(cut);
      find('cut').hidden = !cut;
      if (blob instanceof Blob && blob.type === 'image/png') {
        box.value = '';
        show(blob);
      } else if (typeof text === 'string') box.value = text;
    },
    clipboardrx: ({ value }) => heard.copied({ text: value }),
    sound: ({ on: now }) => { if (typeof now === 'boolean') hear(now); },
    uploaded: ({ status, name, progress, detail }) => {
      const known = { start: 'sending', progress: 'sending-part', end: 'sent' }[status];
      find('sent').textContent = words(known ?? 'not-sent', { name, progress }) + (known || !detail ? '' : ' ' + detail);
    },
  };
  addEventListener('message', (event) => {
    if (event.source !== frame.contentWindow || event.origin !== origin) return;
    if (Object.hasOwn(heard, event.data?.action)) heard[event.data.action](event.data);
  });
  frame.addEventListener('load', () => say({ action: 'hello' }));
  offer();
  return { offer, settings };
};
