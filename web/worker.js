// Keeps the page for times without a network. VERSION and FILES are put in front by scripts/web.
/* global VERSION, FILES */
self.addEventListener("install", (e) => {
    e.waitUntil(caches.open(VERSION).then((c) => c.addAll(FILES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (e) => {
    e.waitUntil(caches.keys()
        .then((names) => Promise.all(names.filter((n) => n.startsWith("faultline-") && n !== VERSION).map((n) => caches.delete(n))))
        .then(() => self.clients.claim()));
});
self.addEventListener("fetch", (e) => {
    if (e.request.method === "GET")
        e.respondWith(caches.match(e.request, { ignoreSearch: true }).then((kept) => kept || fetch(e.request)));
});
