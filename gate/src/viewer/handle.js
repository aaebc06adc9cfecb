// The panel's place: its handle is dragged along the left and right edges or moved by arrow keys, and stays there. It keeps within what the visitor sees:
// also where a phone's keyboard covers a part, or where the page was zoomed.
const STEP = 0.05, DRAGGED = 6, KEPT = 'handle';

const kept = () => {
  try {
    const { side, at } = JSON.parse(localStorage.getItem(KEPT));
    if (['left', 'right'].includes(side) && at >= 0 && at <= 1) return { side, at };
  } catch { /* nothing is kept, or nothing may be */ }
  return { side: 'right', at: 0.5 };
};

export const movable = (panel) => {
  const handle = panel.querySelector('summary');
  let place = kept(), drag = null, dragged = false;
  const put = ({ side = place.side, at = place.at }) => {
    place = { side, at: Math.min(1, Math.max(0, at)) };
    panel.dataset.side = side;
    panel.style.setProperty('--at', place.at);
    try { localStorage.setItem(KEPT, JSON.stringify(place)); } catch { /* it is not kept */ }
  };
  put(place);

  handle.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, grip: event.clientY - handle.getBoundingClientRect().top };
    dragged = false;
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener('pointermove', (event) => {
    if (!drag) return;
    dragged ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > DRAGGED;
    if (!dragged) return;
    const all = panel.getBoundingClientRect(), room = all.height - handle.offsetHeight;
    put({
      side: panel.open ? place.side : event.clientX < all.left + all.width / 2 ? 'left' : 'right',
      at: room > 0 ? (event.clientY - drag.grip - all.top) / room : 0,
    });
  });
  for (const kind of ['pointerup', 'pointercancel', 'lostpointercapture']) handle.addEventListener(kind, () => { drag = null; });
  // What ends a drag does not open the panel.
  handle.addEventListener('click', (event) => {
    if (dragged) event.preventDefault();
    dragged = false;
  });
  handle.addEventListener('keydown', (event) => {
    const moves = {
      ArrowUp: { at: place.at - STEP }, ArrowDown: { at: place.at + STEP }, Home: { at: 0 }, End: { at: 1 },
      ArrowLeft: { side: 'left' }, ArrowRight: { side: 'right' },
    };
    if (!moves[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    put(moves[event.key]);
  });

  const seen = window.visualViewport;
  const fit = () => {
    panel.style.setProperty('--left', seen.offsetLeft + 'px');
    panel.style.setProperty('--top', seen.offsetTop + 'px');
    panel.style.setProperty('--width', seen.width + 'px');
    panel.style.setProperty('--height', seen.height + 'px');
  };
  if (seen) {
    ['resize', 'scroll'].forEach((kind) => seen.addEventListener(kind, fit));
    fit();
  }
};
