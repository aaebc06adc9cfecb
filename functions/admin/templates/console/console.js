// Every page works without this. It copies links, filters what is on the page, keeps what is typed checked, and carries a key from the address into
// the field of the sign-in page.
(() => {
  const $ = (query, within = document) => [...within.querySelectorAll(query)];
  const tell = (text) => { const told = document.getElementById("told"); if (told) { told.textContent = ""; setTimeout(() => { told.textContent = text; }, 30); } };

  for (const button of $("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        tell("Copied.");
        button.classList.add("done");
        if (!button.querySelector("svg")) { const was = button.textContent; button.textContent = "Copied"; setTimeout(() => { button.textContent = was; }, 1600); }
      } catch { tell("Your browser did not let us copy it."); }
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

  // One more line in a weekly plan.
  for (const plan of $("form .plan .lines")) {
    const more = document.createElement("button");
    more.type = "button"; more.className = "button small quiet"; more.textContent = "Add a line";
    plan.after(more);
    more.addEventListener("click", () => {
      const lines = $(".line", plan), at = lines.length;
      if (at >= 20) return;
      const line = lines[at - 1].cloneNode(true);
      line.setAttribute("aria-label", "Line " + (at + 1));
      for (const input of $("input", line)) {
        input.name = input.name.replace(/\.\d+\./, "." + at + ".");
        if (input.type === "checkbox") input.checked = false; else input.value = "";
      }
      plan.append(line);
      line.querySelector("input").focus();
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
})();
