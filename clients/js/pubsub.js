// The client for JavaScript: browsers, and node 18 or later. See README.md.

import {Leader} from "./leader.js";
import {publish} from "./publish.js";
import {PubSubError, ask} from "./request.js";
import {Room} from "./room.js";
import {Site} from "./site.js";
import {joinTabs, randomID} from "./tabs.js";
import {Alarm} from "./wait.js";
import {onWake} from "./wake.js";
import {waysToTry} from "./ways.js";

export {PubSubError};

/**
 * @typedef {import("./request.js").Message} Message
 * @typedef {import("./request.js").Gap} Gap
 * @typedef {import("./connection.js").Status} Status
 * @typedef {import("./room.js").Reader} Reader
 * @typedef {import("./publish.js").PublishOptions} PublishOptions
 * @typedef {import("./publish.js").Receipt} Receipt
 *
 * @typedef {object} Options
 * @property {string} [base] where the server is, such as "https://chat.example"; without it, where this file is from
 * @property {import("./site.js").Token} [token] what the server is asked with, if it wants one
 * @property {string} [who] whose token it is: the tabs that name the same share a connection. Without it, those with the
 *   same token do, and none if it is a function
 * @property {string} [presence] the name under which the reader is present in all rooms that it follows, "" for none
 * @property {"sse" | "ws" | "poll"} [way] how to listen; without it a stream, and polls where no stream comes through
 */

/**
 * Makes a server known. Nothing is asked of it yet.
 *
 * @param {Options} [options]
 */
export function connect({base = new URL(import.meta.url).origin, way, token, who, presence} = {}) {
  const whose = who ?? (typeof token === "function" ? randomID() : token ?? "");
  return new Server(new Site(base.replace(/\/+$/, ""), token, presence), whose, waysToTry(way));
}

/** One server. All that follow a room of it share one connection, also from other tabs of the browser. */
export class Server {
  #site;
  #whose;
  #ways;
  /** @type {Set<Room>} */
  #rooms = new Set();
  /** @type {Set<Alarm>} of publishes under way */
  #waiting = new Set();
  /** @type {import("./tabs.js").Tabs | null} null while no room is followed */
  #tabs = null;
  /** @type {Leader | null} null unless this tab leads */
  #leader = null;
  #wanted = "";
  #endWake = () => {};

  /**
   * @param {Site} site
   * @param {string} whose token it is
   * @param {import("./ways.js").Way[]} ways
   */
  constructor(site, whose, ways) {
    this.#site = site;
    this.#whose = whose;
    this.#ways = ways;
  }

  /**
   * The name under which the reader is present in all rooms that it follows, "" for none. It can be changed at any time:
   * a connection under the new one goes on where the other was. Tabs share a connection under one name.
   */
  get presence() {
    return this.#site.presence;
  }

  set presence(name) {
    if (name === this.#site.presence) return;
    this.#site.presence = name;
    if (!this.#tabs) return;
    this.#leave();
    this.#join();
    this.#want();
  }

  /**
   * Follows a room: tells every message once and in order, or what is missing, whatever becomes of the
   * connections.
   *
   * @param {string} room
   * @param {Reader} reader
   * @returns {() => void} ends it
   */
  follow(room, reader) {
    if (!this.#tabs) this.#join();
    const followed = new Room(this.#site, room, reader, () => this.#want());
    this.#rooms.add(followed);
    return () => {
      followed.stop();
      if (this.#rooms.delete(followed)) this.#left();
    };
  }

  /**
   * The same as a loop: for await (const {message, gap, cursor} of server.messages("room")). It has either a
   * message or a gap. It throws a PubSubError if the room is refused.
   *
   * @param {string} room
   * @param {{since?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<{message: Message, cursor: string, gap?: undefined} | {gap: Gap, message?: undefined, cursor?: undefined}>}
   */
  async *messages(room, {since, signal} = {}) {
    /** @type {any[]} */
    const items = [];
    const alarm = new Alarm();
    const add = (/** @type {any} */ item) => {
      items.push(item);
      alarm.wake();
    };
    const stop = this.follow(room, {
      since,
      onMessage: (message, cursor) => add({message, cursor}),
      onGap: (gap) => add({gap}),
      onStatus: ({name, reason, status}) => name === "refused" && add({error: new PubSubError(reason ?? "", {status})}),
    });
    const wake = () => alarm.wake();
    signal?.addEventListener("abort", wake);
    try {
      while (!signal?.aborted) {
        if (items.length === 0) await alarm.sleep();
        for (const item of items.splice(0)) {
          if (item.error) throw item.error;
          if (signal?.aborted) return;
          yield item;
        }
      }
    } finally {
      signal?.removeEventListener("abort", wake);
      stop();
    }
  }

  /**
   * Publishes a message. Through cuts and while the server is busy it tries again until the signal ends it, and
   * publishes once. It rejects with a PubSubError, which has the server's sentence, if the message is refused.
   *
   * @param {string} room
   * @param {object} message any fields
   * @param {PublishOptions} [options]
   * @returns {Promise<Receipt>}
   */
  async publish(room, message, options = {}) {
    const alarm = new Alarm();
    this.#waiting.add(alarm);
    try {
      const receipt = await publish(this.#site, room, message, {...options, key: options.key ?? randomID()}, alarm);
      this.#reached();
      return receipt;
    } finally {
      this.#waiting.delete(alarm);
    }
  }

  /**
   * The last messages of a room before a cursor, oldest first, and the start of the answer, from which it goes on
   * back. Without before they are the newest.
   *
   * @param {string} room
   * @param {{before?: string, limit?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<import("./request.js").Page>}
   */
  history(room, {before, limit = 50, signal} = {}) {
    const query = new URLSearchParams({limit: String(limit), ...(before && {before})});
    return ask(this.#site, `/history/${encodeURIComponent(room)}?${query}`, {signal});
  }

  /**
   * Who is in a room: how many, and their names, sorted, if they are at most 50. It rejects with a PubSubError, also of
   * servers that do not know.
   *
   * @param {string} room
   * @returns {Promise<{count: number, names?: string[]}>}
   */
  whoIsHere(room) {
    return ask(this.#site, `/presence/${encodeURIComponent(room)}`);
  }

  /**
   * Tells those who follow the companion of a room, such as "room:presence", that somebody types. Nobody has to know it,
   * so it is tried once.
   *
   * @param {string} room
   * @param {string} name
   */
  async typing(room, name) {
    const body = new URLSearchParams({typing: "true", name});
    await ask(this.#site, `/presence/${encodeURIComponent(room)}`, {method: "POST", body}).catch(() => {});
  }

  /** Tries now, wherever something waits to try again or was refused. */
  retry() {
    for (const room of this.#rooms) room.insist();
    for (const alarm of this.#waiting) alarm.wake();
    this.#reached();
  }

  /** The server was seen alive: whichever tab waits to try again need not. */
  #reached() {
    this.#listenNow();
    this.#tabs?.say({kind: "reached"});
  }

  #listenNow() {
    this.#leader?.retry();
    for (const room of this.#rooms) room.retry();
  }

  #join() {
    const name = this.#site.presence;
    const group = `pubsub ${this.#site.base} ${this.#whose}${name && ` as ${name}`}`;
    // Tabs that were left may say something still.
    const here = (/** @type {(said?: any) => void} */ act) => (/** @type {any} */ said) => tabs === this.#tabs && act(said);
    this.#wanted = "";
    const tabs = (this.#tabs = joinTabs(group, {
      onLead: here(() => this.#lead()),
      onYield: here(() => this.#yield()),
      onHear: here((said) => this.#hear(said)),
    }));
    this.#endWake = onWake({sleep: () => this.#sleep(), wake: () => this.#wake(), glance: () => this.#glance()});
  }

  #left() {
    this.#want();
    if (this.#rooms.size === 0) this.#leave();
  }

  #leave() {
    this.#endWake();
    this.#tabs?.close();
    this.#tabs = null;
    this.#yield();
  }

  #lead() {
    const tabs = this.#tabs;
    if (!tabs) return;
    this.#leader = new Leader(this.#site, this.#ways, tabs, (said) => this.#hear(said));
    this.#wantAgain();
  }

  #yield() {
    this.#leader?.close();
    this.#leader = null;
    this.#wantAgain(); // of whoever leads now
  }

  /** Takes what this tab's leader says, or another's. @param {any} said */
  #hear(said) {
    if (said.kind === "pieces") for (const piece of said.pieces) this.#named([piece.room], (room) => room.hear(piece));
    else if (said.kind === "status") this.#named(said.rooms, (room) => room.hearStatus(said.status));
    else if (said.kind === "want") this.#leader?.want(said.tab, said.places);
    else if (said.kind === "reached") this.#listenNow();
    else if (said.kind === "who") this.#wantAgain();
    else if (said.kind === "doubt") {
      this.#wanted = "";
      this.#named(said.rooms, (room) => room.doubt());
    }
  }

  /**
   * @param {string[]} names
   * @param {(room: Room) => void} act
   */
  #named(names, act) {
    for (const room of this.#rooms) if (names.includes(room.name)) act(room);
  }

  #wantAgain() {
    this.#wanted = "";
    this.#want();
  }

  /** Tells the leader which rooms this tab wants to hear of, and from where. */
  async #want() {
    await this.#tabs?.joined();
    /** @type {Record<string, string>} */
    const places = {};
    for (const room of this.#rooms) if (room.place) places[room.name] ??= room.place;
    const names = Object.keys(places).sort().join();
    if (!this.#tabs || names === this.#wanted) return;
    this.#wanted = names;
    if (this.#leader) this.#leader.want(this.#tabs.me, places);
    else this.#tabs.say({kind: "want", tab: this.#tabs.me, places});
  }

  #sleep() {
    this.#tabs?.leave();
    this.#yield();
    for (const room of this.#rooms) room.pause();
  }

  #wake() {
    this.#tabs?.comeBack();
    this.#wanted = "";
    this.#leader?.reopen();
    for (const room of this.#rooms) room.resume();
    for (const alarm of this.#waiting) alarm.wake();
  }

  #glance() {
    if (this.#leader) this.#leader.glance();
    else for (const room of this.#rooms) room.check();
  }
}
