// On the page for no network: today's list as it was last seen on this device, while it is of any use.
(async () => {
  "use strict";

  const DAYS = 3;
  const place = document.querySelector("[data-last-seen]");
  if (!place || !("caches" in window)) return;
  const cache = await caches.open("stepwise-seen");
  const kept = await cache.match("/today/");
  if (!kept) return;
  const seenAt = new Date(kept.headers.get("X-Seen-At"));
  if (Date.now() - seenAt > DAYS * 24 * 60 * 60 * 1000) {
    await cache.delete("/today/");
    return;
  }
  const page = new DOMParser().parseFromString(await kept.text(), "text/html");
  // Nothing to press that would lead nowhere.
  const deeds = "form, button, script, dialog, .sw-step-why, .sw-actions, .sw-link-target";
  page.querySelectorAll(deeds).forEach((part) => part.remove());
  const parts = page.querySelectorAll("main h1, main [data-keep]");
  place.append(...[...parts].map((part) => document.importNode(part, true)));
  place.querySelectorAll("h1").forEach((heading) => {
    heading.replaceWith(Object.assign(document.createElement("h2"), { textContent: heading.textContent }));
  });
  place.querySelectorAll("a:not([href^='tel:'])").forEach((link) => link.replaceWith(...link.childNodes));
  const language = page.documentElement.lang || undefined;
  place.querySelector("[data-seen-at]").textContent = seenAt.toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
  place.hidden = false;
  if (page.querySelector(".sw-call")) document.querySelector("[data-call-anyway]")?.remove();
})();
