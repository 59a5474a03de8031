// Asks before a session ends, and keeps what was typed until it was sent: in this tab, locked with a key that
// only the pages of the same person hold. Without JavaScript the server ends sessions all the same.
(() => {
  "use strict";

  const WARN_BEFORE = 120; // seconds
  const STAY_EVERY = 240; // seconds: somebody who types is there
  const PREFIX = "stepwise-draft:";
  const dialog = document.querySelector("[data-session]");

  const drafts = {
    keys: () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)),
    read: (key) => JSON.parse(sessionStorage.getItem(key) || "null"),
    write: (key, draft) => sessionStorage.setItem(key, JSON.stringify(draft)),
    drop: (key) => sessionStorage.removeItem(key),
  };

  if (!dialog) {
    // Nobody is signed in: what was on its way did not arrive.
    drafts.keys().forEach((key) => drafts.write(key, { ...drafts.read(key), sent: false }));
    return;
  }

  // --- The end of the session ---

  const idle = Number(dialog.dataset.seconds);
  const endForm = dialog.querySelector("[data-end]");
  const stayForm = dialog.querySelector("[data-stay]");
  const left = dialog.querySelector("[data-left]");
  const otherTabs = "BroadcastChannel" in window ? new BroadcastChannel("stepwise-session") : null;
  let seenAt = Date.now();

  const seen = () => {
    seenAt = Date.now();
    if (dialog.open) dialog.close();
  };

  const stay = async () => {
    const answer = await fetch(stayForm.action, { method: "POST", body: new FormData(stayForm), redirect: "manual" });
    if (answer.status !== 204) return location.reload();
    seen();
    otherTabs?.postMessage("seen");
  };

  const tick = () => {
    const remaining = Math.ceil(idle - (Date.now() - seenAt) / 1000);
    if (remaining <= 0) {
      endForm.elements.next.value = location.pathname + location.search;
      endForm.submit();
      return;
    }
    if (remaining > WARN_BEFORE) return;
    if (!dialog.open) dialog.showModal();
    left.textContent = `${Math.floor(remaining / 60)}:${String(remaining % 60).padStart(2, "0")}`;
  };

  stayForm.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    stay();
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    stay();
  });
  otherTabs?.addEventListener("message", seen);
  otherTabs?.postMessage("seen");
  // A computer that slept is back: the clock went on.
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, 1000);

  // --- What was typed ---

  const PLACES = "#main form, #content form";
  const name = (form) => {
    const forms = [...document.querySelectorAll(PLACES)];
    return `${PREFIX}${dialog.dataset.owner}:${location.pathname}:${forms.indexOf(form)}`;
  };
  const isKept = (field) => field.name && !["hidden", "password", "file", "submit", "button"].includes(field.type);
  const isForm = (form) => form?.method === "post" && form.matches(PLACES) && [...form.elements].some(isKept);
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const key = crypto.subtle?.importKey("raw", bytes(dialog.dataset.key), "AES-GCM", false, ["encrypt", "decrypt"]);

  const lock = async (values) => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = new TextEncoder().encode(JSON.stringify(values));
    return { iv: text(iv), locked: text(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await key, plain)) };
  };

  const unlock = async (draft) => {
    const how = { name: "AES-GCM", iv: bytes(draft.iv) };
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(how, await key, bytes(draft.locked))));
  };

  const keep = async (form) => {
    const fields = [...form.elements].filter(isKept);
    const values = fields.map((field) => [field.name, field.value, field.checked ?? null]);
    drafts.write(name(form), { ...(await lock(values)), sent: false });
  };

  const fill = (form, values) => {
    const fields = [...form.elements].filter(isKept);
    values.forEach(([fieldName, value, checked], position) => {
      const field = fields[position];
      if (field?.name !== fieldName) return;
      if (["checkbox", "radio"].includes(field.type)) field.checked = checked && field.value === value;
      else field.value = value;
    });
  };

  const say = (form, storedAs) => {
    const note = document.createElement("div");
    const discard = document.createElement("button");
    note.className = "sw-note sw-draft";
    note.setAttribute("role", "status");
    note.append(Object.assign(document.createElement("span"), { textContent: dialog.dataset.kept }), discard);
    Object.assign(discard, { type: "button", className: "btn btn-link", textContent: dialog.dataset.discard });
    discard.addEventListener("click", () => {
      drafts.drop(storedAs);
      form.reset();
      note.remove();
    });
    form.prepend(note);
  };

  const restore = async (form) => {
    const storedAs = name(form);
    const draft = drafts.read(storedAs);
    if (!draft) return;
    // After an error the server shows what was typed: that is newer.
    if (form.querySelector("[data-error-summary]")) return drafts.drop(storedAs);
    try {
      fill(form, await unlock(draft));
      say(form, storedAs);
    } catch {
      drafts.drop(storedAs);
    }
  };

  if (!key) return;
  drafts.keys().forEach((stored) => {
    const isOurs = stored.startsWith(`${PREFIX}${dialog.dataset.owner}:`);
    if (!isOurs || drafts.read(stored)?.sent) drafts.drop(stored);
  });
  document.querySelectorAll(PLACES).forEach((form) => isForm(form) && restore(form));

  let stayedAt = Date.now();
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!isForm(form)) return;
    keep(form);
    seenAt = Date.now();
    if (Date.now() - stayedAt < STAY_EVERY * 1000) return;
    stayedAt = Date.now();
    stay();
  });
  document.addEventListener("submit", (event) => {
    const storedAs = isForm(event.target) ? name(event.target) : "";
    if (drafts.read(storedAs)) drafts.write(storedAs, { ...drafts.read(storedAs), sent: true });
  });
})();
