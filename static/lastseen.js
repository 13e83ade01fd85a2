// What somebody has seen of a room, in this browser: where "New since you left" begins.

import {epochOf} from "./cursor.js";
import {recallJSON, remember} from "./memory.js";

const name = (room) => `seen/${room}`;

/** The cursor of the last message that was seen in a room, null if there is none. */
export const seenOf = (room) => recallJSON(name(room))?.cursor ?? null;

/** The room whose place was remembered under a name, null if none's was. */
export const seenIn = (remembered) => (remembered.startsWith("seen/") ? remembered.slice(5) : null);

export class LastSeen {
  #room;
  #left;
  #away = true;
  #last = null;

  /** @param {string} room */
  constructor(room) {
    this.#room = room;
    this.#left = recallJSON(name(room));
  }

  /** Whether an item is the first one since the reader left. @param {import("./conversation.js").Item} item */
  isNew({message, cursor}) {
    if (!this.#away || !this.#left) return false;
    if (epochOf(cursor) === epochOf(this.#left.cursor) && message.id <= this.#left.id) return false;
    this.#away = false;
    return true;
  }

  /** Tells what is shown. @param {import("./conversation.js").Item[]} items */
  shown(items) {
    const item = items.findLast(({message}) => message);
    if (item) this.#last = {cursor: item.cursor, id: item.message.id};
    if (!document.hidden) this.look();
  }

  /** Somebody looks at it. */
  look() {
    this.#away = false;
    if (this.#last) remember(name(this.#room), JSON.stringify(this.#last));
  }

  /** Nobody looks any more. */
  leave() {
    this.#away = true;
    this.#left = this.#last ?? this.#left;
  }
}
