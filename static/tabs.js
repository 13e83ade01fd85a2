// One poll for all tabs of a browser: a lock chooses the tab that polls, a broadcast channel passes on
// what it gets. When that tab goes, the lock goes to the next.

// A leader speaks at least as often as its polls end. One that is silent for so many ticks while somebody
// looks at another tab is stuck, and its lock is taken away.
const TICK = 10_000;
const SILENT_TICKS = 7;

/**
 * Joins the other tabs on the same channel.
 *
 * @param {string} channel
 * @param {{onLead: () => void, onYield: () => void, onHear: (said: object) => void}} events
 * @returns {{say: (said: object) => void, leave: () => void, comeBack: () => void}} say speaks to the other
 *   tabs; leave and comeBack are for a page that is put to sleep, which must not keep the lock from others
 */
export function joinTabs(channel, {onLead, onYield, onHear}) {
  // Without a secure context there are no locks: then each tab polls for itself.
  if (!navigator.locks || !window.BroadcastChannel) {
    queueMicrotask(onLead);
    return {say() {}, leave() {}, comeBack() {}};
  }
  const name = `pubsub/${channel}`;
  const others = new BroadcastChannel(name);
  let leading = false;
  let away = false;
  let silence = 0;
  let stealing = false;
  let giveUp = () => {};
  let enter = () => {};

  others.onmessage = ({data}) => {
    silence = 0;
    onHear(data);
  };

  const hold = () =>
    new Promise((release) => {
      if (away) return release();
      leading = true;
      giveUp = release;
      onLead();
    });

  const queue = () => {
    const leave = new AbortController();
    giveUp = () => leave.abort();
    return navigator.locks.request(name, {signal: leave.signal}, hold);
  };

  const stand = async () => {
    for (;;) {
      if (away) await new Promise((resolve) => (enter = resolve));
      const steal = stealing;
      stealing = false;
      try {
        await (steal ? navigator.locks.request(name, {steal}, hold) : queue());
      } catch (error) {
        // AbortError: out of the queue, or another tab has taken the lock. Anything else: no locks here.
        if (error.name !== "AbortError") {
          others.onmessage = null;
          return onLead();
        }
      }
      if (leading) onYield();
      leading = false;
    }
  };

  setInterval(() => {
    if (leading || document.hidden || ++silence < SILENT_TICKS) return;
    silence = 0;
    stealing = true;
    giveUp();
  }, TICK);

  stand();
  return {
    say: (said) => others.postMessage(said),
    leave() {
      away = true;
      giveUp();
    },
    comeBack() {
      away = false;
      enter();
    },
  };
}
