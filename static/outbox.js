// Sends what was written in a room, in order. It outlives a reload: each entry is in the browser's storage under a
// name that sorts. All tabs show the entries; the one that holds a lock sends them.

import {identity} from "./cursor.js";
import {recallJSON, recallNames, remember} from "./memory.js";
import {addMine} from "./ownids.js";

// The server knows a key for 5 minutes. After that, sending again could publish twice.
const DOUBT = 4 * 60_000;
const YIELD = 1000;

/**
 * @typedef {object} Entry
 * @property {string} name where it is stored
 * @property {string} key under which it is posted
 * @property {string} message
 * @property {string | null} [nick] left out while the person has not decided, null for none
 * @property {number} [since] when it was first tried
 * @property {string} [failed] why the server refuses it
 *
 * @typedef {object} Events
 * @property {() => void} onChange
 * @property {(status: {name: string, reason?: string, until?: number}) => void} onStatus
 * @property {(entry: Entry, identity: string) => void} onSent
 */

/** Whether nobody knows what became of it. @param {Entry} entry */
export const inDoubt = ({since}) => since !== undefined && Date.now() - since >= DOUBT;

export class Outbox {
  #server;
  #room;
  #events;
  #last = 0;
  /** @type {{name: string, stop: AbortController} | null} */
  #sending = null;
  #waits = false;
  #away = false;

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {string} room
   * @param {Events} events
   */
  constructor(server, room, events) {
    this.#server = server;
    this.#room = room;
    this.#events = events;
    // A page that is put to sleep must not keep the lock from others.
    for (const sleep of ["pagehide", "freeze"]) addEventListener(sleep, () => this.#sleep(), {capture: true});
    for (const wake of ["pageshow", "resume"]) addEventListener(wake, () => this.#wake(), {capture: true});
  }

  /** @returns {Entry[]} in order */
  get entries() {
    return recallNames(`outbox/${this.#room}/`).map((name) => ({name, ...recallJSON(name)})).filter(({key}) => key);
  }

  /** @param {string} message @param {string | null} [nick] */
  add(message, nick) {
    this.#last = Math.max(Date.now(), this.#last + 1);
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#store({name: `outbox/${this.#room}/${this.#last} ${key}`, key, message, nick});
    this.#act();
  }

  /** Tells who said what waits for that. @param {string | null} nick */
  decide(nick) {
    for (const entry of this.entries) if (entry.nick === undefined) this.#store({...entry, nick});
    this.#act();
  }

  /** @param {Entry} entry */
  again(entry) {
    this.#store({...entry, failed: undefined, since: undefined});
    this.#act();
  }

  /** @param {Entry} entry */
  takeBack(entry) {
    remember(entry.name, null);
    this.#act();
  }

  /** Is called when another tab has changed the storage. That tab goes first, as somebody looks at it. */
  changedElsewhere() {
    this.#changed();
    setTimeout(() => this.#run(), YIELD);
  }

  #changed() {
    if (this.#sending && recallJSON(this.#sending.name) === null) this.#sending.stop.abort();
    this.#events.onChange();
  }

  #act() {
    this.#changed();
    this.#run();
  }

  #sleep() {
    this.#away = true;
    this.#sending?.stop.abort();
  }

  #wake() {
    this.#away = false;
    this.#act();
  }

  /** @param {Entry} entry */
  #store({name, ...entry}) {
    remember(name, JSON.stringify(entry));
  }

  #next() {
    if (this.#away) return undefined;
    return this.entries.find((entry) => entry.nick !== undefined && !entry.failed && !inDoubt(entry));
  }

  async #run() {
    if (this.#waits || !this.#next()) return;
    this.#waits = true;
    const send = async () => {
      for (let entry; (entry = this.#next()); ) await this.#send(entry);
    };
    try {
      // Without locks, as on plain http, two tabs may both send an entry. They do so under one key.
      await (navigator.locks ? navigator.locks.request(`pubsub outbox ${this.#room}`, send) : send());
    } finally {
      this.#waits = false;
    }
    this.#run();
  }

  /** @param {Entry} entry */
  async #send(entry) {
    const stop = new AbortController();
    this.#sending = {name: entry.name, stop};
    let timer;
    const onStatus = (status) => {
      // What is tried without a network has not arrived for sure.
      if (!entry.since && navigator.onLine) this.#store((entry = {...entry, since: Date.now()}));
      if (entry.since) timer ??= setTimeout(() => stop.abort(), entry.since + DOUBT - Date.now());
      this.#events.onStatus(status);
    };
    const {key, nick, message} = entry;
    try {
      const receipt = await this.#server.publish(this.#room, {nick, message}, {key, signal: stop.signal, onStatus});
      const sent = identity(receipt.id, receipt.cursor);
      addMine(this.#room, sent);
      remember(entry.name, null);
      this.#events.onSent(entry, sent);
    } catch (error) {
      if (!stop.signal.aborted) this.#store({...entry, failed: error.message});
    }
    clearTimeout(timer);
    this.#sending = null;
    this.#events.onStatus({name: "sent"});
    this.#events.onChange();
  }
}
