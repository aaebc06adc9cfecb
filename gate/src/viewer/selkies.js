// Stands between the viewer and Selkies' page in its frame: what the panel asks for becomes the messages that Selkies' own menu sends, and what that page
// says of its state goes to the panel. Who may do what is decided elsewhere.
(() => {
  const viewer = window.parent, here = window.location.origin;
  if (viewer === window) return;
  const say = (message) => viewer.postMessage(message, '*');
  const ask = (message) => window.postMessage(message, here);
  const find = (id) => document.getElementById(id);

  // The keys that show the panel, before Selkies sends them into the session.
  window.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey && event.altKey && event.shiftKey && event.code === 'KeyM')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say({ action: 'open_panel' });
  }, { capture: true });

  // Keys are pressed in their order and let go in the other.
  const press = (keys) => {
    const held = { ctrlKey: false, altKey: false, shiftKey: false, metaKey: false };
    const flags = { Control: 'ctrlKey', Alt: 'altKey', Shift: 'shiftKey', Meta: 'metaKey' };
    const send = (kind, { key, code }) => {
      if (flags[key]) held[flags[key]] = kind === 'keydown';
      find('overlayInput')?.dispatchEvent(new KeyboardEvent(kind, { key, code, bubbles: true, cancelable: true, ...held }));
    };
    keys.forEach((key) => send('keydown', key));
    [...keys].reverse().forEach((key) => send('keyup', key));
  };
  const type = (text) => {
    const field = find('keyboard-input-assist');
    if (!field) return;
    field.value = text;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  };
  const send = (files) => {
    const chosen = find('globalFileInput'), data = new DataTransfer();
    files.forEach((file) => data.items.add(file));
    if (!chosen) return;
    chosen.files = data.files;
    chosen.dispatchEvent(new Event('change', { bubbles: true }));
  };

  // A picture that is copied in the session goes into the visitor's clipboard; the panel has it too, for browsers that do not let a frame do that.
  const clipboard = navigator.clipboard, write = clipboard?.write?.bind(clipboard);
  if (write) clipboard.write = async (items) => {
    for (const item of items) {
      if (item.types.includes('image/png')) item.getType('image/png').then((image) => say({ action: 'copied', image })).catch(() => {});
    }
    return write(items);
  };

  // Selkies looks at its screen as often as it sends pictures, also while nothing moves, which is most of what a session costs then. It looks as often as the
  // page of the screen's owner says that it can decode: so this one asks for few looks while nothing moves and its visitor does nothing. Not while others use
  // the session (its size is fixed then): they would wait for this page.
  const REST = 'DECODE_PACE 5', WAKE = 'DECODE_PACE 0', LOOK = 1000, STILL = 4, MOVING = 4;
  const asked = new URLSearchParams(window.location.search), mayRest = asked.get('part') === 'owner' && asked.get('size') !== 'fixed';
  let resting = null, still = 0, seen = 0;
  const tell = (transport, words) => { if (transport === window.selkiesTransport && transport.readyState === WebSocket.OPEN) transport.send(words); };
  const wake = () => {
    still = 0;
    if (resting) tell(resting, WAKE);
    resting = null;
  };
  const look = () => {
    const transport = window.selkiesTransport, count = window.videoChunksReceived ?? 0, moves = count - seen >= MOVING;
    seen = count;
    // A connection that has just been made knows nothing of this.
    if (resting && resting !== transport) resting = null;
    if (moves || document.hidden) wake();
    else if (++still >= STILL && !resting && transport) {
      resting = transport;
      tell(resting, REST);
    }
  };
  if (mayRest) {
    setInterval(look, LOOK);
    for (const kind of ['keydown', 'input', 'compositionupdate', 'pointerdown', 'pointermove', 'wheel', 'touchstart', 'touchmove']) window.addEventListener(kind, wake, { capture: true, passive: true });
  }

  const announce = () => say({ action: 'tools', tools: ['keys', 'type', 'clipboard', 'images', 'files', 'sound', 'quality', 'sharp'] });
  const done = {
    hello: announce,
    keys: ({ keys }) => press(keys),
    type: ({ text }) => type(text),
    paste: ({ text, image }) => ask(image ? { type: 'clipboardImageUpdate', imageBlob: image } : { type: 'clipboardUpdateFromUI', text }),
    files: ({ files }) => send(files),
    sound: ({ on }) => {
      if (on) ask({ type: 'pipelineControl', pipeline: 'audio', enabled: true });
      ask({ type: 'setMute', value: !on });
    },
    quality: ({ crf }) => ask({ type: 'settings', settings: { video_crf: crf } }),
    sharp: ({ on }) => ask({ type: 'setUseCssScaling', value: !on }),
  };
  window.addEventListener('message', (event) => {
    if (event.source === viewer) {
      if (Object.hasOwn(done, event.data?.action)) done[event.data.action](event.data);
      return;
    }
    if (event.source !== window) return;
    const { type: kind, text, truncated, totalLength, payload, audio } = event.data ?? {};
    // Without a length it is a remark, and not a text that was copied.
    if (kind === 'clipboardContentUpdate' && totalLength !== undefined) say({ action: 'copied', text, cut: truncated });
    if (kind === 'fileUpload') say({ action: 'uploaded', status: payload?.status, name: payload?.fileName, progress: payload?.progress, detail: payload?.message });
    if (kind === 'sidebarButtonStatusUpdate') say({ action: 'sound', on: audio });
  });
  window.addEventListener('load', announce);
})();
