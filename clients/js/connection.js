// One connection that follows some rooms, and is opened again whenever it ends.

import {PubSubError} from "./request.js";
import {Alarm, backoff} from "./wait.js";

/**
 * until is when the next try comes, in milliseconds since 1970; status is that of a refusal.
 * @typedef {{name: "connecting" | "open" | "reconnecting" | "refused", reason?: string, until?: number, status?: number}} Status
 */

/**
 * @typedef {object} Events
 * @property {(pieces: import("./pieces.js").Piece[]) => void} onPieces
 * @property {(status: Status) => void} onStatus
 * @property {(rooms: string[]) => void} onRefused these rooms are no longer followed: ask for each why
 */

// The server allows 64 rooms and 2 KB of names in one request.
const MAX_ROOMS = 60;
const MAX_NAMES = 1500;
// Rooms mostly come together.
const GATHER = 20;
// Without a byte for so long, a proxy may hold the stream back.
const PATIENCE = 5_000;
const PATIENCE_WITHOUT_CHOICE = 20_000;
// For so long another way is used where the first one did not work.
const OTHER_WAY = 600_000;
// A connection that lasted this long was a healthy one, whatever ended it.
const HEALTHY = 5_000;
// One without a byte for so long may have died while the computer slept.
const STALE = 30_000;

export class Connection {
  #site;
  #ways;
  #events;
  /** @type {Map<string, string>} room → place */
  #places = new Map();
  #way = 0;
  #firstWayAt = 0;
  #failures = 0;
  #fresh = true;
  #closed = false;
  #idle = false;
  #reopening = false;
  #progress = false;
  #aliveAt = 0;
  /** @type {AbortController | null} the connection under way */
  #line = null;
  #alarm = new Alarm();

  /**
   * @param {import("./site.js").Site} site
   * @param {import("./ways.js").Way[]} ways to be tried in this order
   * @param {Events} events
   */
  constructor(site, ways, events) {
    this.#site = site;
    this.#ways = ways;
    this.#events = events;
    this.#run();
  }

  get rooms() {
    return [...this.#places.keys()];
  }

  /** @param {string} room */
  hasSpaceFor(room) {
    return this.#places.size < MAX_ROOMS && this.rooms.join().length + room.length < MAX_NAMES;
  }

  /** @param {string} room */
  placeOf(room) {
    return this.#places.get(room);
  }

  /**
   * @param {string} room
   * @param {string} place
   */
  add(room, place) {
    this.#places.set(room, place);
    this.#changed();
  }

  /** @param {string} room */
  drop(room) {
    if (this.#places.delete(room)) this.#changed();
  }

  /** Opens it again if it may be dead. */
  glance() {
    if (!this.#line || Date.now() - this.#aliveAt > STALE) this.reopen();
  }

  /** Opens it again at once, also if it waits. */
  reopen() {
    this.#reopening = true;
    this.#line?.abort();
    this.#alarm.wake();
  }

  /** Tries now, if it waits to try again. */
  retry() {
    if (!this.#line) this.#alarm.wake();
  }

  close() {
    this.#closed = true;
    this.reopen();
  }

  #changed() {
    // While it fails, more rooms are no reason to try sooner.
    if (this.#idle || this.#failures === 0) this.reopen();
  }

  async #run() {
    while (!this.#closed) {
      this.#idle = this.#places.size === 0;
      if (this.#idle) await this.#alarm.sleep();
      if (this.#reopening) await new Promise((resolve) => setTimeout(resolve, GATHER));
      this.#reopening = false;
      if (this.#places.size > 0 && !this.#closed) await this.#open();
    }
  }

  async #open() {
    const line = (this.#line = new AbortController());
    const since = (this.#aliveAt = Date.now());
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let watchdog;
    let begun = false;
    this.#progress = false;
    const mayTurn = this.#ways.length > 1 && this.#way === 0;
    const expect = (/** @type {number} */ milliseconds) => {
      clearTimeout(watchdog);
      this.#aliveAt = Date.now();
      watchdog = setTimeout(() => line.abort(), milliseconds);
    };
    try {
      const wait = await this.#ways[this.#way]({
        site: this.#site,
        rooms: this.rooms,
        places: [...this.#places.values()],
        fresh: this.#fresh,
        patience: mayTurn ? PATIENCE : PATIENCE_WITHOUT_CHOICE,
        signal: line.signal,
        expect,
        begun: () => {
          if (!begun) this.#begun();
          begun = true;
        },
        take: (pieces) => line.signal.aborted || this.#take(pieces),
      });
      this.#line = null;
      await this.#ended(wait, Date.now() - since);
    } catch (error) {
      this.#line = null;
      if (!this.#reopening && !this.#site.leavesOut(error)) await this.#failed(error, {begun, timedOut: line.signal.aborted, lasted: Date.now() - since});
    } finally {
      clearTimeout(watchdog);
      line.abort();
    }
  }

  #begun() {
    this.#fresh = false;
    this.#events.onStatus({name: "open"});
  }

  /** @param {import("./pieces.js").Piece[]} pieces */
  #take(pieces) {
    const news = pieces.filter(({room, from, to}) => this.#places.has(room) && from !== to);
    for (const {room, to} of news) this.#places.set(room, to);
    if (news.length === 0) return;
    this.#progress = true;
    this.#failures = 0;
    this.#events.onPieces(news);
  }

  /**
   * @param {number} wait
   * @param {number} lasted
   */
  async #ended(wait, lasted) {
    if (this.#way > 0 && Date.now() > this.#firstWayAt) this.#way = 0;
    const healthy = wait === 0 || this.#progress || lasted > HEALTHY;
    this.#failures = healthy ? 0 : this.#failures + 1;
    if (wait > 0) await this.#alarm.sleep(healthy ? wait : backoff(this.#failures, wait));
  }

  /**
   * @param {unknown} cause
   * @param {{begun: boolean, timedOut: boolean, lasted: number}} what
   */
  async #failed(cause, {begun, timedOut, lasted}) {
    const error = cause instanceof PubSubError ? cause : new PubSubError(`The answer cannot be read. ${cause}`);
    if (begun && (this.#progress || lasted > HEALTHY)) this.#failures = 0;
    if (!begun && (timedOut || error.otherWay)) this.#turn();
    this.#fresh = true;
    const wait = backoff(this.#failures++, error.retryAfter);
    this.#events.onStatus({name: "reconnecting", reason: error.status || error.foreign ? error.message : undefined, until: Date.now() + wait});
    if (!error.temporary) this.#refused();
    await this.#alarm.sleep(wait);
  }

  #refused() {
    const rooms = this.rooms;
    this.#places.clear();
    this.#events.onRefused(rooms);
  }

  #turn() {
    this.#way = (this.#way + 1) % this.#ways.length;
    this.#firstWayAt = Date.now() + OTHER_WAY;
  }
}
