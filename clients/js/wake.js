// Tells when the computer, the network or the page went to sleep and woke up.

const TICK = 10_000;
// Timers of hidden pages come once a minute.
const SLEPT = 100_000;

/**
 * @param {{sleep: () => void, wake: () => void, glance: () => void}} events glance: somebody looks at the page again
 * @returns {() => void} ends it
 */
export function onWake({sleep, wake, glance}) {
  const end = new AbortController();
  const {signal} = end;
  let last = Date.now();
  const timer = setInterval(() => {
    const slept = Date.now() - last > SLEPT;
    last = Date.now();
    if (slept) wake();
  }, TICK);
  /** @type {any} */ (timer).unref?.(); // node would not end
  if (globalThis.document) listen();
  return () => {
    clearInterval(timer);
    end.abort();
  };

  function listen() {
    addEventListener("pagehide", sleep, {signal});
    addEventListener("pageshow", (event) => event.persisted && wake(), {signal});
    document.addEventListener("freeze", sleep, {signal});
    document.addEventListener("resume", wake, {signal});
    addEventListener("online", wake, {signal});
    addEventListener("offline", wake, {signal});
    document.addEventListener("visibilitychange", () => document.hidden || glance(), {signal});
  }
}
