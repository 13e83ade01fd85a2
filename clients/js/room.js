// A room, as one reader follows it: keeps its place, and asks the server for what came after it.
//
// A room asks by itself until it is up to date. Then it listens to the connection, which may be another
// tab's. A piece that begins elsewhere than at the room's place means that something is missing, and the room
// asks by itself again. So it does not matter what a tab did not hear.

import {had, piecesOf} from "./pieces.js";
import {PubSubError, poll} from "./request.js";
import {Alarm, backoff} from "./wait.js";

/**
 * @typedef {import("./request.js").Message} Message
 * @typedef {import("./request.js").Gap} Gap
 * @typedef {import("./connection.js").Status} Status
 *
 * @typedef {object} Reader
 * @property {string} [since] where to begin: "now", "all", "-20" for the last twenty, or the cursor of a message;
 *   "now" if it is left out
 * @property {(message: Message, cursor: string) => void} [onMessage] is called for each message, in order; with the
 *   cursor as since, another visit goes on behind it
 * @property {(gap: Gap) => void} [onGap] is called where messages are missing
 * @property {(status: Status) => void} [onStatus] is called when it changes
 */

export class Room {
  #site;
  #reader;
  #onReady;
  #name;
  /** @type {string | null} null until the server has told one */
  #place = null;
  /** How many messages after the place the reader has already. */
  #skip = 0;
  /** @type {Message | null} */
  #last = null;
  /** @type {import("./pieces.js").Piece | null} the last one that came while asking */
  #heard = null;
  #upToDate = false;
  #paused = false;
  #stopped = false;
  #refused = false;
  /** The place may be why a connection was refused. */
  #doubted = false;
  #failures = 0;
  #told = "";
  /** @type {AbortController | null} the request under way */
  #asking = null;
  #alarm = new Alarm();

  /**
   * @param {import("./site.js").Site} site
   * @param {string} name
   * @param {Reader} reader
   * @param {() => void} onReady is called whenever the room has become up to date, or is refused
   */
  constructor(site, name, reader, onReady) {
    this.#site = site;
    this.#name = name;
    this.#reader = reader;
    this.#onReady = onReady;
    this.#since(reader.since ?? "now");
    this.#run();
  }

  get name() {
    return this.#name;
  }

  /** Where a connection can go on, null if it cannot. */
  get place() {
    return this.#doubted || this.#refused ? null : this.#place;
  }

  /** @param {import("./pieces.js").Piece} piece */
  hear(piece) {
    if (this.#asking) {
      this.#heard = piece;
      return;
    }
    if (this.#stopped || this.#paused || this.#refused) return;
    if (this.#had(piece) < 0) return this.check();
    this.#take(piece);
    if (this.#upToDate) return;
    this.#upToDate = true;
    this.#alarm.wake();
  }

  /** @param {Status} status of the connection */
  hearStatus(status) {
    if (this.#upToDate) this.#tell(status);
    else if (status.name === "open") this.retry();
  }

  /** Asks by itself, since something may be missing. */
  check() {
    this.#upToDate = this.#refused = false;
    this.#asking?.abort();
    this.#alarm.wake();
  }

  /** Asks by itself, since the connection was refused. */
  doubt() {
    this.#doubted = true;
    this.check();
  }

  /** Asks now, if it waits to ask again. */
  retry() {
    if (!this.#asking && !this.#upToDate) this.#alarm.wake();
  }

  /** Asks again, though it was refused. */
  insist() {
    this.#refused = false;
  }

  /** Asks for nothing until resume: a page that is put to sleep may not. */
  pause() {
    this.#paused = true;
    this.#asking?.abort();
  }

  resume() {
    this.#paused = false;
    this.check();
  }

  stop() {
    this.#stopped = true;
    this.check();
  }

  /** @param {string} since */
  #since(since) {
    const [place, skip] = since.split("+");
    this.#skip = Number(skip ?? 0);
    if (!/^(now|all|-\d+)$/.test(place)) this.#place = place;
  }

  async #run() {
    await null; // whoever follows has what follow returns before anything is told
    this.#tell({name: "connecting"});
    while (!this.#stopped) {
      if (this.#paused || this.#upToDate || this.#refused) await this.#alarm.sleep();
      else await this.#ask();
    }
  }

  async #ask() {
    const from = this.#place ?? this.#reader.since ?? "now";
    const asking = (this.#asking = new AbortController());
    this.#heard = null;
    try {
      const page = await poll({site: this.#site, rooms: [this.#name], places: [from], wait: false, signal: asking.signal});
      this.#asking = null;
      if (!asking.signal.aborted) this.#answered(from, page);
    } catch (error) {
      this.#asking = null;
      if (!asking.signal.aborted) await this.#failed(/** @type {PubSubError} */ (error));
    }
  }

  /**
   * @param {string} from
   * @param {import("./request.js").Page} page
   */
  #answered(from, page) {
    this.#failures = 0;
    this.#doubted = false;
    this.#place ??= from;
    this.#take(piecesOf([this.#name], [from], page)[0]);
    const all = !page.more || page.messages.length === 0;
    if (!all || this.#stopped || (this.#heard && this.#had(this.#heard) !== this.#heard.messages.length)) return;
    this.#upToDate = true;
    this.#tell({name: "open"});
    this.#onReady();
  }

  /** @param {PubSubError} error */
  async #failed(error) {
    if (this.#site.leavesOut(error)) return;
    if (error.status === 400 && !error.temporary && this.#place !== null) return this.#beginAgain();
    if (!error.temporary) {
      this.#refused = true;
      this.#tell({name: "refused", reason: error.message, status: error.status});
      return this.#onReady();
    }
    const wait = backoff(this.#failures++, error.retryAfter);
    this.#tell({name: "reconnecting", reason: error.status || error.foreign ? error.message : undefined, until: Date.now() + wait});
    await this.#alarm.sleep(wait);
  }

  /** The server cannot read the cursor, as after an upgrade: better the oldest message there is than none. */
  #beginAgain() {
    this.#reader = {...this.#reader, since: "all"};
    this.#place = null;
    this.#skip = 0;
    this.#reader.onGap?.({reason: "restarted"});
  }

  /** @param {import("./pieces.js").Piece} piece */
  #had(piece) {
    return had(piece, this.#place, this.#last);
  }

  /** @param {import("./pieces.js").Piece} piece */
  #take(piece) {
    const known = this.#had(piece);
    if (known === piece.messages.length && piece.from !== this.#place) return;
    this.#place = piece.to;
    if (piece.gap) this.#pass(piece.gap);
    for (let i = known; i < piece.messages.length && !this.#stopped; i++) {
      this.#last = piece.messages[i];
      if (this.#skip > 0) this.#skip--;
      else this.#reader.onMessage?.(piece.messages[i], piece.cursors[i]);
    }
  }

  /** A part of what is missing may be what the reader had. @param {Gap} gap */
  #pass(gap) {
    const missed = gap.missed ?? 0;
    const left = Math.max(0, missed - this.#skip);
    const all = gap.reason === "expired" && this.#skip > 0 && left === 0;
    this.#skip = gap.reason === "expired" ? Math.max(0, this.#skip - missed) : 0;
    if (!all && !this.#stopped) this.#reader.onGap?.(gap.reason === "expired" ? {...gap, missed: left} : gap);
  }

  /** @param {Status} status */
  #tell(status) {
    const told = JSON.stringify(status);
    if (told === this.#told || this.#stopped) return;
    this.#told = told;
    this.#reader.onStatus?.(status);
  }
}
