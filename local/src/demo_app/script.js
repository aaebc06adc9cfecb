"use strict";
// The window's side: shows what the app tells, sends what is typed, and comes back by itself.
(() => {
  const part = (id) => document.getElementById(id);
  const pad = part("pad"), status = part("status"), note = part("pad-note"), left = part("time-left");
  const address = new URL("ws", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  let socket, tries = 0, again, silence, deadline, total;

  // The pad: `rev` is the revision that this window builds on, `sent` the text that is under way, `away` whether some of it was typed offline.
  let me = 0, rev = 0, dirty = false, away = false, sent = null, soon;

  const open = () => socket && socket.readyState === WebSocket.OPEN && me > 0;

  function say(text, live) {
    if (status.textContent !== text) status.textContent = text;
    document.body.classList.toggle("live", live);
  }

  function show(text) {
    if (pad.value === text) return;
    const { selectionStart, selectionEnd } = pad;
    pad.value = text;
    if (document.activeElement === pad) pad.setSelectionRange(selectionStart, selectionEnd);
  }

  function send() {
    if (!dirty || sent !== null || !open()) return;
    sent = pad.value;
    // Texts written apart may be joined; nothing is typed into the old one meanwhile.
    pad.readOnly = away;
    socket.send(JSON.stringify({ base: rev, text: sent, away }));
  }

  function settle(text) {
    dirty = away = pad.readOnly = false;
    sent = null;
    note.textContent = text;
  }

  const hear = {
    hello(news) {
      me = news.me;
      tries = 0;
      pad.disabled = false;
      say(status.dataset.live, true);
      if (sent !== null) { sent = null; away = true; }
      if (dirty && pad.value !== news.text) return send();
      rev = news.rev;
      show(news.text);
      settle("\u00a0");
    },
    pad(news) {
      const mine = news.by === me && sent !== null;
      rev = news.rev;
      if (mine && (away || pad.value === sent)) {
        show(news.text);
        return settle(note.dataset.shared);
      }
      if (mine) { sent = null; return send(); }
      if (!dirty) show(news.text);
    },
    full() {
      sent = null;
      pad.readOnly = false;
      note.textContent = note.dataset.full;
    },
    tick(news) {
      part("tick").textContent = new Date(news.clock).toLocaleTimeString(document.documentElement.lang + "-u-nu-latn");
      part("windows").textContent = news.windows;
      part("uptime").textContent = span(news.uptime);
      if (news.left === null) return;
      total = news.left + news.uptime;
      deadline = performance.now() + news.left * 1000;
      count();
    },
  };

  function span(seconds) {
    const two = (n) => String(n).padStart(2, "0");
    const minutes = Math.floor(seconds / 60);
    return (minutes >= 60 ? Math.floor(minutes / 60) + ":" + two(minutes % 60) : minutes) + ":" + two(seconds % 60);
  }

  function count() {
    if (deadline === undefined) return;
    const seconds = Math.max(0, Math.round((deadline - performance.now()) / 1000));
    left.textContent = span(seconds);
    document.body.classList.toggle("low", seconds < 60);
    if (total) part("bar").setAttribute("width", (100 * seconds) / total);
  }

  function lost() {
    clearTimeout(silence);
    clearTimeout(again);
    me = 0;
    say(tries < 4 ? status.dataset.again : status.dataset.lost, false);
    if (dirty) note.textContent = note.dataset.kept;
    const pause = Math.min(8000, 250 * 2 ** tries++);
    again = setTimeout(connect, pause * (0.5 + Math.random() / 2));
  }

  // Something is heard every second; silence means that the connection is gone, whatever the browser thinks.
  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), 5000);
  }

  function connect() {
    clearTimeout(again);
    const mine = (socket = new WebSocket(address));
    listen();
    mine.onmessage = (event) => {
      if (mine !== socket) return;
      listen();
      const news = JSON.parse(event.data);
      hear[news.is]?.(news);
    };
    mine.onclose = () => mine === socket && lost();
  }

  pad.addEventListener("input", () => {
    dirty = true;
    if (!open()) away = true;
    clearTimeout(soon);
    soon = setTimeout(send, 120);
  });
  addEventListener("online", () => socket.readyState > 1 && connect());
  document.addEventListener("visibilitychange", () => !document.hidden && socket.readyState > 1 && connect());

  if (left.dataset.left) deadline = performance.now() + left.dataset.left * 1000;
  setInterval(count, 1000);
  connect();
})();
