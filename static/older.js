// Loads what was said before, as one scrolls up, and says where it ends.

import {placeBefore} from "./cursor.js";

const BEGUN = "Here it began.";
const EXPIRED = "What was said before has expired.";

export class Older {
  #server;
  #conversation;
  #note;
  #room;
  #busy = false;
  #done = false;

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {string} room
   * @param {import("./conversation.js").Conversation} conversation
   * @param {HTMLElement} note
   */
  constructor(server, room, conversation, note) {
    this.#server = server;
    this.#room = room;
    this.#conversation = conversation;
    this.#note = note;
  }

  /** Shows nothing any more: there is another room now. */
  end() {
    this.#done = true;
  }

  async load() {
    const oldest = this.#conversation.oldest;
    if (!oldest || this.#busy || this.#done) return;
    if (oldest.message.id === 1) return void (this.#note.textContent = BEGUN);
    let loaded = false;
    this.#busy = true;
    try {
      const page = await this.#server.history(this.#room, {before: placeBefore(oldest), limit: 100});
      if (!this.#done) this.#show(page, oldest.message.id);
      loaded = true;
    } catch {
      // The next move of the wheel tries again.
    }
    this.#busy = false;
    if (loaded && !this.#done && this.#conversation.nearTop) this.load();
  }

  #show({messages, start}, oldest) {
    const older = messages.filter(({id}) => id < oldest);
    if (older.length) this.#conversation.showOlder(older.map((message, i) => ({message, cursor: `${start}+${i + 1}`})));
    this.#done = older.length === 0 || older[0].id === 1;
    if (this.#done) this.#note.textContent = older[0]?.id === 1 ? BEGUN : EXPIRED;
  }
}
