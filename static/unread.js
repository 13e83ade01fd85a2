// Follows the rooms one was in, and counts what came there unseen.

import {seenIn, seenOf} from "./seen.js";
import {mineOf} from "./mine.js";
import {identity} from "./place.js";
import {onRemembered, recallJSON, remember} from "./memory.js";

const MAX = 10;

export class Unread {
  #server;
  #onChange;
  #here = "";
  /** @type {Map<string, {count: number, stop: () => void}>} */
  #rooms = new Map();

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {() => void} onChange
   */
  constructor(server, onChange) {
    this.#server = server;
    this.#onChange = onChange;
    onRemembered((name) => {
      const room = seenIn(name);
      if (this.#rooms.has(room)) this.#follow(room);
      else if (name === "rooms") this.#followAll();
    });
  }

  /** Rooms one was in, the last one first. @returns {string[]} */
  get names() {
    return recallJSON("rooms") ?? [];
  }

  /** How many messages of a room are unseen. */
  count(room) {
    return this.#rooms.get(room)?.count ?? 0;
  }

  get total() {
    return Array.from(this.#rooms.values()).reduce((sum, {count}) => sum + count, 0);
  }

  /** Goes to a room, whose messages are seen then. */
  enter(room) {
    this.#here = room;
    this.#set([room, ...this.names.filter((name) => name !== room)].slice(0, MAX));
  }

  leave(room) {
    this.#set(this.names.filter((name) => name !== room));
  }

  #set(names) {
    remember("rooms", JSON.stringify(names));
    this.#followAll();
  }

  #followAll() {
    const wanted = this.names.filter((name) => name !== this.#here);
    for (const [room, {stop}] of this.#rooms) {
      if (wanted.includes(room)) continue;
      stop();
      this.#rooms.delete(room);
    }
    for (const room of wanted) if (!this.#rooms.has(room)) this.#follow(room);
    this.#onChange();
  }

  #follow(room) {
    this.#rooms.get(room)?.stop();
    const followed = {count: 0, stop: () => {}};
    const mine = mineOf(room);
    followed.stop = this.#server.follow(room, {
      since: seenOf(room) ?? "now",
      onMessage: ({id}, cursor) => {
        if (mine.has(identity(id, cursor))) return;
        followed.count++;
        this.#onChange();
      },
    });
    this.#rooms.set(room, followed);
    this.#onChange();
  }
}
