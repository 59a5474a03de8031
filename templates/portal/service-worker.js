{% comment %}
Shows whom to call, and today's list as last seen, where there is no network.
  version  changes when one of the files does
  files    addresses of the page for no network and what it needs
{% endcomment %}
"use strict";

const SHELL = "stepwise-shell-{{ version }}";
const SEEN = "stepwise-seen";
const OFFLINE = "/offline/";
const TODAY = "/today/";
const FILES = [{% for file in files %}"{{ file|escapejs }}"{% if not forloop.last %}, {% endif %}{% endfor %}];

self.addEventListener("install", (event) => {
  // Fetched as a stranger: this page must hold nothing of anyone.
  const requests = FILES.map((file) => new Request(file, { credentials: "omit" }));
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

const tidy = async () => {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => ![SHELL, SEEN].includes(name)).map((name) => caches.delete(name)));
  // The browser's own request goes out beside us, and says that a person opened the page.
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
};

self.addEventListener("activate", (event) => event.waitUntil(tidy()));

const keep = async (response) => {
  const headers = { "Content-Type": "text/html; charset=utf-8", "X-Seen-At": new Date().toISOString() };
  const cache = await caches.open(SEEN);
  await cache.put(TODAY, new Response(await response.text(), { headers }));
};

const open = async (event) => {
  try {
    const response = (await event.preloadResponse) || (await fetch(event.request));
    const isToday = new URL(event.request.url).pathname === TODAY;
    if (isToday && response.ok && !response.redirected) event.waitUntil(keep(response.clone()));
    return response;
  } catch {
    return (await caches.match(OFFLINE)) || Response.error();
  }
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(open(event));
  else if (FILES.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request, { ignoreSearch: true })));
  }
});
