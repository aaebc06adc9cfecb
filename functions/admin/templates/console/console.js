// Every page works without this. It copies links, filters what is on the page, keeps what is typed checked, and carries a key from the address into
// the field of the sign-in page.
(() => {
  const $ = (query, within = document) => [...within.querySelectorAll(query)];
  const announce = (text) => { const region = document.getElementById("announcement"); if (region) { region.textContent = ""; setTimeout(() => { region.textContent = text; }, 30); } };

  for (const button of $("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        announce("Copied.");
        button.classList.add("done");
        if (!button.querySelector("svg")) { const was = button.textContent; button.textContent = "Copied"; setTimeout(() => { button.textContent = was; }, 1600); }
      } catch { announce("Your browser did not let us copy it."); }
    });
  }

  const wrong = document.querySelector("[data-focus]");
  if (wrong) { wrong.focus(); document.title = "Not right yet: " + document.title; }

  // A key in the address (after #, which browsers keep to themselves) signs in at once and leaves the address again.
  const key = document.querySelector("[data-key]");
  const take = () => {
    if (!key || location.hash.length < 2) return;
    key.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname + location.search);
    key.form.requestSubmit();
  };
  take();
  addEventListener("hashchange", take);

  for (const select of $("[data-go]")) select.addEventListener("change", () => select.form.requestSubmit());

  // A field that only one choice needs.
  for (const select of $("[data-shows]")) {
    const field = document.getElementById(select.dataset.shows), show = () => { field.hidden = select.value !== field.dataset.shownFor; };
    select.addEventListener("change", show);
    show();
  }

  // Charts show times as the browser's clock does, unless another zone was chosen.
  try {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) document.cookie = "cast-zone-browser=" + zone + ";path=/admin;max-age=31536000;samesite=lax";
  } catch { /* without it, times are in UTC */ }

  // The values of a chart, at the pointer and by the arrow keys.
  for (const plot of $("[data-plot]")) {
    const columns = $(".hits rect", plot), reading = document.createElement("p");
    reading.className = "reading"; reading.setAttribute("role", "status"); reading.textContent = "Point at the picture, or use the arrow keys, to read its values.";
    plot.after(reading);
    plot.tabIndex = 0;
    plot.setAttribute("aria-label", plot.getAttribute("aria-label") + ". The arrow keys read its values.");
    let at = columns.length;
    const read = (next) => {
      at = Math.max(0, Math.min(columns.length - 1, next));
      columns.forEach((column, number) => column.classList.toggle("on", number === at));
      reading.textContent = columns[at].textContent;
    };
    plot.addEventListener("pointermove", (event) => { const found = columns.indexOf(event.target); if (found >= 0 && found !== at) read(found); });
    plot.addEventListener("pointerdown", (event) => { const found = columns.indexOf(event.target); if (found >= 0) read(found); });
    plot.addEventListener("keydown", (event) => {
      const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: columns.length - 1 }[event.key];
      if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      read(next);
    });
  }

  // One more line in a weekly plan, or one more access tier.
  for (const plan of $("form .lines")) {
    const more = document.createElement("button");
    more.type = "button"; more.className = "button small quiet"; more.textContent = plan.dataset.more || "Add a line";
    plan.after(more);
    more.addEventListener("click", () => {
      const lines = $(".line", plan), at = lines.length;
      if (at >= 20) return;
      const line = lines[at - 1].cloneNode(true);
      line.setAttribute("aria-label", line.getAttribute("aria-label").replace(/\d+$/, at + 1));
      for (const input of $("input, select, textarea", line)) {
        input.name = input.name.replace(/\.\d+\./, "." + at + ".");
        if (input.type === "checkbox") input.checked = false;
        else if (input.tagName === "SELECT") input.selectedIndex = Math.max(0, [...input.options].findIndex((option) => option.defaultSelected));
        else input.value = "place" in input.dataset ? at + 1 : "";
      }
      plan.append(line);
      (line.querySelector(".proof") || line.querySelector("input")).focus();
    });
  }

  // What is typed is checked a moment later; the answer says what stands at which field.
  const form = document.querySelector("form[data-check]");
  if (form) {
    let waiting, asked = 0, touched = new Set();
    const said = document.getElementById("checked"), preview = document.getElementById("preview");
    const note = (control, kind, texts) => {
      const field = control.closest(".field"), id = control.id + "-" + (kind === "wrong" ? "error" : "warning");
      let place = document.getElementById(id);
      const text = texts.join(" ");
      if (place && place.textContent.trim() === text) return;
      if (!text) { if (place) place.remove(); }
      else {
        if (!place) { place = document.createElement("p"); place.id = id; place.className = kind; field.querySelector(".help") ? field.querySelector(".help").before(place) : field.append(place); }
        place.textContent = text;
      }
      const ids = ["error", "warning", "help"].map((part) => control.id + "-" + part).filter((id) => document.getElementById(id));
      if (ids.length) control.setAttribute("aria-describedby", ids.join(" ")); else control.removeAttribute("aria-describedby");
      if (kind === "wrong") text ? control.setAttribute("aria-invalid", "true") : control.removeAttribute("aria-invalid");
    };
    const check = async () => {
      const turn = ++asked;
      try {
        const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "application/json" } });
        if (!answer.ok || turn !== asked) return;
        const found = await answer.json();
        for (const field of $("[data-field]", form)) {
          const name = field.dataset.field, control = document.getElementById("f-" + name.replace(/[._]/g, "-"));
          if (!control) continue;
          const of = (list) => (list || []).filter((one) => one.field === name).map((one) => one.text);
          // What nobody has touched yet is not called wrong before it is sent.
          note(control, "wrong", touched.has(name) || form.querySelector(".notice.bad") ? of(found.errors) : []);
          note(control, "worth", of(found.warnings));
        }
        if (preview && found.preview) preview.innerHTML = found.preview;
        const count = (found.errors || []).length;
        if (said) said.textContent = count ? (count === 1 ? "1 field needs" : count + " fields need") + " correction." : "No errors found.";
      } catch { if (said) said.textContent = ""; }
    };
    form.addEventListener("input", (event) => {
      const field = event.target.closest("[data-field]");
      if (field) touched.add(field.dataset.field);
      clearTimeout(waiting); waiting = setTimeout(check, 350);
    });
    let changed = false;
    form.addEventListener("input", () => { changed = true; });
    form.addEventListener("submit", () => { changed = false; });
    addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  }

  // Rows that are selected: all at once, and how many.
  const bulk = document.getElementById("bulk");
  const picked = () => $("input[form=bulk]");
  const count = () => {
    if (!bulk) return;
    const many = picked().filter((box) => box.checked).length;
    bulk.querySelector("[data-selected]").textContent = many ? many + " selected:" : "Select rows to act on them.";
    for (const button of $("button", bulk)) button.disabled = !many;
    const all = bulk.querySelector("[data-all] input");
    all.checked = many > 0 && many === picked().length;
  };
  if (bulk) {
    const all = bulk.querySelector("[data-all]");
    all.hidden = false;
    all.addEventListener("change", (event) => { for (const box of picked()) box.checked = event.target.checked; count(); });
    document.addEventListener("change", (event) => { if (event.target.form === bulk) count(); });
    count();
  }

  // A live part is read again while the page is looked at, and put in place only if it has changed.
  for (const live of $("[data-live]")) {
    let tag = "", failed = 0;
    const read = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(live.dataset.live, { headers: tag ? { "if-none-match": tag } : {}, cache: "no-store" });
        failed = answer.ok || answer.status === 304 ? 0 : failed + 1;
        if (!answer.ok || answer.redirected) return;
        const html = await answer.text();
        tag = answer.headers.get("etag") || "";
        const inside = live.contains(document.activeElement) ? document.activeElement : null;
        const key = (one) => one.id || one.getAttribute("href") || (one.name && one.name + "=" + one.value) || one.textContent;
        const at = inside && key(inside), checked = new Set($("input:checked", live).map((box) => box.value));
        const opened = $("details", live).map((one) => one.open), scrolled = $("pre, .scroll", live).map((one) => [one.scrollTop, one.scrollLeft]);
        live.innerHTML = html;
        for (const box of $("input[type=checkbox]", live)) box.checked = checked.has(box.value);
        $("details", live).forEach((one, number) => { if (opened[number]) one.open = true; });
        $("pre, .scroll", live).forEach((one, number) => { if (scrolled[number]) [one.scrollTop, one.scrollLeft] = scrolled[number]; });
        if (at) $("a, button, input, summary, [tabindex]", live).find((one) => key(one) === at)?.focus();
        count();
      } catch { failed += 1; }
    };
    // Slower while it fails, so that a deployment in trouble is not asked more.
    const again = () => setTimeout(async () => { await read(); again(); }, 5000 * Math.min(12, 2 ** failed));
    again();
    document.addEventListener("visibilitychange", read);
  }

  // The command bar: what is typed is looked for; arrows choose, Enter opens.
  const bar = document.getElementById("bar"), keys = document.getElementById("keys");
  if (bar) {
    const field = document.getElementById("bar-q"), list = document.getElementById("bar-list"), said = document.getElementById("bar-said");
    let asked = 0, waiting, at = -1;
    const choose = (next) => {
      const all = $("[role=option]", list);
      if (!all.length) { field.removeAttribute("aria-activedescendant"); return; }
      at = (next + all.length) % all.length;
      all.forEach((one, number) => one.setAttribute("aria-selected", number === at));
      field.setAttribute("aria-activedescendant", all[at].id);
      all[at].scrollIntoView({ block: "nearest" });
    };
    const look = async () => {
      const turn = ++asked;
      try {
        const answer = await fetch(bar.dataset.find + "?format=json&q=" + encodeURIComponent(field.value.trim()), { headers: { accept: "application/json" } });
        if (turn !== asked) return;
        if (!answer.ok) { said.textContent = "The search did not work. Please sign in again, or reload the page."; return; }
        const { items } = await answer.json();
        list.replaceChildren(...items.map((one, number) => {
          const item = document.createElement("li"), kind = document.createElement("span");
          item.id = "bar-" + number; item.setAttribute("role", "option"); item.dataset.href = one.href;
          kind.className = "soft small"; kind.textContent = one.kind;
          item.append(one.name + " ", kind);
          return item;
        }));
        said.textContent = items.length ? "" : "Nothing found.";
        choose(0);
      } catch { said.textContent = "The search did not work."; }
    };
    const open = () => { if (!bar.open) { field.value = ""; list.replaceChildren(); bar.showModal(); look(); } };
    const go = (item) => { if (item) location.assign(item.dataset.href); };
    field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, 150); });
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") choose(at + 1);
      else if (event.key === "ArrowUp") choose(at - 1);
      else if (event.key === "Enter") go($("[role=option]", list)[at]);
      else return;
      event.preventDefault();
    });
    list.addEventListener("click", (event) => go(event.target.closest("[role=option]")));
    for (const dialog of [bar, keys]) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    const single = document.getElementById("single"), kept = (value) => { try { return value === undefined ? localStorage.getItem("keys") : localStorage.setItem("keys", value); } catch { return null; } };
    single.checked = kept() !== "off";
    single.addEventListener("change", () => kept(single.checked ? "on" : "off"));
    for (const button of $("[data-keys]")) { button.hidden = false; button.addEventListener("click", () => keys.showModal()); }
    const places = { o: "/admin", c: "/admin/casts", s: "/admin/sessions", l: "/admin/claims" };
    let lead = 0;
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") { event.preventDefault(); open(); return; }
      if (event.ctrlKey || event.metaKey || event.altKey || bar.open || keys.open) return;
      if (!single.checked || event.target.closest("input, select, textarea, [contenteditable]")) return;
      if (event.key === "/") { event.preventDefault(); open(); }
      else if (event.key === "?") keys.showModal();
      else if (event.key === "r") location.reload();
      else if (event.key === "g") lead = Date.now();
      else if (places[event.key] && Date.now() - lead < 1500) location.assign(places[event.key]);
    });
  }
})();
