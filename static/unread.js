// Follows other rooms, and counts what came there unseen.

import {identity} from "./cursor.js";
import {seenIn, seenOf} from "./lastseen.js";
import {onRemembered} from "./memory.js";
import {mineOf} from "./ownids.js";

export class Unread {
  #server;
  #onChange;
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
    });
  }

  /** How many messages of a room are unseen. */
  count(room) {
    return this.#rooms.get(room)?.count ?? 0;
  }

  get total() {
    return Array.from(this.#rooms.values()).reduce((sum, {count}) => sum + count, 0);
  }

  /** Follows these rooms, and no others. @param {string[]} wanted */
  follow(wanted) {
    for (const [room, {stop}] of this.#rooms) {
      if (wanted.includes(room)) continue;
      stop();
      this.#rooms.delete(room);
    }
    for (const room of wanted) if (!this.#rooms.has(room)) this.#follow(room);
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
