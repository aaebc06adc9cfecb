// Loads the page again when one of its parts is missing or late: without any one of its scripts the page does nothing.
(() => {
  // In milliseconds.
  const PARTS_TIMEOUT = 20000, PAUSE = 2000;
  const reload = () => location.reload();
  const late = setTimeout(reload, PARTS_TIMEOUT);
  addEventListener('started', () => clearTimeout(late));
  // A module whose import is missing fails at its own element, and errors of elements are seen on their way down only.
  addEventListener('error', (event) => { if (event.target instanceof HTMLElement) setTimeout(reload, PAUSE); }, { capture: true });
})();
