// Shows the screen, and finds it again when the connection was lost. `?resize=scale` keeps the screen's size, otherwise it follows the window;
// `?view_only=1` sends nothing (who may do what is not decided here).
import RFB from './novnc/core/rfb.js';

const screen = document.getElementById('screen'), status = document.getElementById('status');
const asked = new URLSearchParams(location.search);
const scale = asked.get('resize') === 'scale';
const say = (words) => { status.textContent = words; };
let pause = 500;

// What answers in a session's place when it is over says so better than this page can.
const again = async () => {
  const answer = await fetch(location.href, { cache: 'no-store' }).catch(() => undefined);
  if (answer && [403, 404, 410].includes(answer.status)) location.reload();
  else connect();
};

const connect = () => {
  const address = new URL('rfb', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  address.search = '';
  const rfb = new RFB(screen, address.href, { shared: true, wsProtocols: ['binary'] });
  rfb.scaleViewport = scale;
  rfb.resizeSession = !scale;
  rfb.viewOnly = asked.get('view_only') === '1';
  rfb.background = '#16191d';
  rfb.addEventListener('connect', () => {
    pause = 500;
    say('');
    document.documentElement.dataset.connected = 'yes';
    rfb.focus();
  });
  rfb.addEventListener('clipboard', (event) => { navigator.clipboard?.writeText(event.detail.text).catch(() => {}); });
  rfb.addEventListener('disconnect', () => {
    delete document.documentElement.dataset.connected;
    say('The connection to your session is lost; trying again.');
    setTimeout(again, pause);
    pause = Math.min(pause * 2, 8000);
  });
  // What was copied outside is there to be pasted inside, as far as the browser and the session allow it.
  const paste = () => rfb.viewOnly || navigator.clipboard?.readText?.().then((text) => text && rfb.clipboardPasteFrom(text)).catch(() => {});
  addEventListener('focus', paste);
  rfb.addEventListener('disconnect', () => removeEventListener('focus', paste));
};
connect();
