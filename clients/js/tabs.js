// One connection for all tabs of a browser: a lock chooses the tab that leads, a broadcast channel passes on
// what is said. When that tab goes, the lock goes to the next.

// A leader speaks at least once a minute, as Chromium lets hidden pages do. One that is silent for so many ticks
// while somebody looks at another tab is stuck, and its lock is taken away.
const TICK = 20_000;
const SILENT_TICKS = 6;

/**
 * @typedef {object} Tabs
 * @property {string} me this tab's name
 * @property {() => Promise<void>} joined resolves when others can watch this tab
 * @property {(said: object) => void} say speaks to the other tabs
 * @property {(tab: string, gone: () => void) => void} watch tells once when another tab has gone
 * @property {() => void} leave for a page that is put to sleep, which must not keep the lock from others; it leads no
 *   more
 * @property {() => void} comeBack
 * @property {() => void} close
 *
 * @typedef {{onLead: () => void, onYield: () => void, onHear: (said: any) => void}} TabEvents
 */

/**
 * Joins the other tabs that use a name.
 *
 * @param {string} name
 * @param {TabEvents} events
 * @returns {Tabs}
 */
export function joinTabs(name, events) {
  return canShare() ? new SharingTabs(name, events) : alone(events);
}

/** Without a secure context there are no locks: then each tab is on its own. */
export const canShare = () => globalThis.isSecureContext === true && !!navigator.locks && !!globalThis.BroadcastChannel;

/**
 * @param {TabEvents} events
 * @returns {Tabs}
 */
function alone({onLead}) {
  let away = false;
  queueMicrotask(onLead);
  return {
    me: "me",
    joined: async () => {},
    say() {},
    watch() {},
    leave: () => (away = true),
    comeBack() {
      if (away) onLead();
      away = false;
    },
    close() {},
  };
}

/** @implements {Tabs} */
class SharingTabs {
  #name;
  #events;
  #others;
  #leading = false;
  #away = false;
  #closed = false;
  #stealing = false;
  #silence = 0;
  #timer;
  #giveUp = () => {};
  #enter = () => {};
  #present;

  /**
   * @param {string} name
   * @param {TabEvents} events
   */
  constructor(name, events) {
    this.me = randomID();
    this.#name = name;
    this.#events = events;
    this.#others = new BroadcastChannel(name);
    this.#others.onmessage = ({data}) => {
      if (data.kind !== "want") this.#silence = 0; // that is what a leader does not say
      events.onHear(data);
    };
    this.#timer = setInterval(() => this.#tick(), TICK);
    this.#present = hold(`${name} ${this.me}`);
    this.#stand();
  }

  joined() {
    return this.#present.held;
  }

  /** @param {object} said */
  say(said) {
    if (!this.#closed) this.#others.postMessage(said);
  }

  /**
   * @param {string} tab
   * @param {() => void} gone
   */
  watch(tab, gone) {
    navigator.locks.request(`${this.#name} ${tab}`, gone).catch(() => {});
  }

  leave() {
    this.#away = true;
    this.#present.release();
    this.#giveUp();
  }

  comeBack() {
    if (!this.#away) return;
    this.#away = false;
    this.#silence = 0;
    this.#present = hold(`${this.#name} ${this.me}`);
    this.#enter();
  }

  close() {
    this.#closed = true;
    this.leave();
    clearInterval(this.#timer);
    this.#others.close();
  }

  #tick() {
    if (this.#leading) this.say({kind: "here"});
    if (this.#leading || this.#away || document.hidden || ++this.#silence < SILENT_TICKS) return;
    this.#silence = 0;
    this.#stealing = true;
    this.#giveUp();
  }

  async #stand() {
    while (!this.#closed) {
      if (this.#away) await new Promise((resolve) => (this.#enter = () => resolve(undefined)));
      const steal = this.#stealing;
      this.#stealing = false;
      try {
        await (steal ? navigator.locks.request(this.#name, {steal}, () => this.#lead()) : this.#queue());
      } catch (error) {
        // AbortError: out of the queue, or another tab has taken the lock. Anything else: no locks here.
        if (/** @type {Error} */ (error).name !== "AbortError") return this.#events.onLead();
      }
      if (this.#leading) this.#events.onYield();
      this.#leading = false;
    }
  }

  #queue() {
    const leave = new AbortController();
    this.#giveUp = () => leave.abort();
    return navigator.locks.request(this.#name, {signal: leave.signal}, () => this.#lead());
  }

  /** @returns {Promise<void>} */
  #lead() {
    return new Promise((release) => {
      if (this.#away) return release();
      this.#leading = true;
      this.#giveUp = release;
      this.#events.onLead();
    });
  }
}

/** Holds a lock that nobody else wants but to see it released. @param {string} name */
function hold(name) {
  let release = () => {};
  /** @type {Promise<void>} */
  const held = new Promise((begun) => {
    const wait = () => {
      begun();
      return new Promise((resolve) => (release = () => resolve(undefined)));
    };
    navigator.locks.request(name, wait).catch(() => begun());
  });
  return {held, release: () => void held.then(() => release())};
}

/** 128 random bits. crypto.randomUUID does not exist on plain http, and node 18 has no crypto. */
export function randomID() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto) crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => (bytes[i] = Math.random() * 256));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
