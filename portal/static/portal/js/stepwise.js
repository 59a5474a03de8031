// What makes pages pleasanter where JavaScript runs. Every page works without it.
(() => {
  "use strict";

  // Menus are <details>; outside clicks and Escape close them.
  const openMenus = () => document.querySelectorAll("details[data-menu][open]");

  document.addEventListener("click", (event) => {
    openMenus().forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    openMenus().forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  // A second press on a button that is already sending does nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sending) {
      event.preventDefault();
      return;
    }
    form.dataset.sending = "yes";
  });

  // A page taken back from the browser's history may send again.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sending]").forEach((form) => delete form.dataset.sending);
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  // A mail in its frame is shown whole, instead of scrolling within the page. It runs no script of its own.
  const fit = (frame) => {
    const page = frame.contentDocument && frame.contentDocument.documentElement;
    // Not its scrollHeight: that is never less than the frame, which could then only grow.
    if (page && page.offsetHeight > 100) frame.style.blockSize = `${page.offsetHeight + 4}px`;
  };
  const frames = document.querySelectorAll("iframe[data-fit]");
  frames.forEach((frame) => {
    frame.addEventListener("load", () => fit(frame));
    fit(frame);
  });
  // A phone that is turned makes the lines of the mail longer or shorter.
  if (frames.length) window.addEventListener("resize", () => frames.forEach(fit));

  // Passwords can be looked at while they are typed.
  const addReveal = (input) => {
    const holder = input.closest("[data-reveal-show]") || document.body;
    const { revealShow: show, revealHide: hide } = holder.dataset;
    if (!show || input.dataset.revealed) return;
    input.dataset.revealed = "no";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-link sw-reveal";
    button.textContent = show;
    button.setAttribute("aria-controls", input.id);
    button.addEventListener("click", () => {
      const hidden = input.type === "password";
      input.type = hidden ? "text" : "password";
      button.textContent = hidden ? hide : show;
      input.focus();
    });
    input.insertAdjacentElement("afterend", button);
  };

  const settle = (root) => {
    root.querySelectorAll("input[type=password]").forEach(addReveal);
    const summary = root.querySelector("[data-error-summary]");
    if (summary) summary.focus();
  };

  // Where there is no network: whom to call, and today's list as last seen. Gone with signing out, or another's sign-in.
  const owner = document.body.dataset.offline;
  const forget = () => "caches" in window && caches.delete("stepwise-seen");
  if (owner && "serviceWorker" in navigator) {
    if (localStorage.getItem("stepwise-owner") !== owner) {
      forget();
      localStorage.setItem("stepwise-owner", owner);
    }
    navigator.serviceWorker.register("/service-worker.js").catch(() => {});
  }
  document.addEventListener("submit", (event) => {
    if (event.target.action.endsWith("/accounts/logout/")) forget();
  });

  settle(document);
  document.addEventListener("htmx:afterSettle", (event) => {
    settle(event.target);
    event.target.querySelectorAll("form[data-sending]").forEach((form) => delete form.dataset.sending);
  });
})();
