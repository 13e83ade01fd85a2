// Lets the page open without a network: as it was when it was last loaded. What is new comes first, always: this only
// answers where the network does not. It is at an address without a hash, as a browser looks there for a newer one.

const CACHE = "pubsub page";
const isFile = (path) => path.startsWith("/@");

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const {request} = event;
  const {origin, pathname, search} = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  const isPage = request.mode === "navigate" && pathname === "/" && !/[?&]plain\b/.test(search);
  // All rooms have one page.
  if (isPage) event.respondWith(networkFirst(event, "/"));
  else if (isFile(pathname)) event.respondWith(networkFirst(event, pathname));
});

async function networkFirst(event, name) {
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(keep(name, answer.clone()));
    return answer;
  } catch (error) {
    const kept = await caches.match(name);
    if (kept) return kept;
    throw error;
  }
}

async function keep(name, answer) {
  const cache = await caches.open(CACHE);
  await cache.put(name, answer);
  if (name !== "/") return;
  // The page has come with the hash of its files, and files of another one are of no use any more.
  const hash = /\/@\w+\//.exec(await (await cache.match("/")).text())?.[0];
  for (const {url} of await cache.keys()) {
    const path = new URL(url).pathname;
    if (path.startsWith("/@") && !path.startsWith(hash)) await cache.delete(path);
  }
}

// The page was loaded before its worker was there: it tells what it loaded.
addEventListener("message", (event) => {
  const paths = event.data.paths.filter((path) => path === "/" || isFile(path));
  event.waitUntil(Promise.all(paths.map(async (path) => keep(path, await fetch(path)))).catch(() => {}));
});
