// Loads what was said before, as one scrolls up, and says where it ends.

import {numberOf} from "./place.js";

const BEGUN = "Here it began.";
const EXPIRED = "What was said before has expired.";

export class Older {
  #server;
  #conversation;
  #note;
  #room = "";
  #busy = false;
  #done = false;

  /**
   * @param {import("./js/pubsub.js").Server} server
   * @param {import("./conversation.js").Conversation} conversation
   * @param {HTMLElement} note
   */
  constructor(server, conversation, note) {
    this.#server = server;
    this.#conversation = conversation;
    this.#note = note;
  }

  open(room) {
    this.#room = room;
    this.#done = false;
    this.#note.textContent = "";
  }

  async load() {
    const oldest = this.#conversation.oldest;
    if (!oldest || this.#busy || this.#done) return;
    if (oldest.message.id === 1) return void (this.#note.textContent = BEGUN);
    const room = this.#room;
    let loaded = false;
    this.#busy = true;
    try {
      // A cursor is behind its message, which therefore comes again at first.
      const before = oldest.cursor.split("+")[0];
      const page = await this.#server.history(room, {before, limit: 100});
      if (room === this.#room) this.#show(page, oldest.message.id);
      loaded = true;
    } catch {
      // The next move of the wheel tries again.
    }
    this.#busy = false;
    if (room === this.#room && loaded && !this.#done && this.#conversation.nearTop) this.load();
  }

  #show({messages, start}, oldest) {
    const older = messages.filter(({id}) => id < oldest);
    if (older.length) this.#conversation.showOlder(older.map((message, i) => ({message, cursor: `${start}+${i + 1}`})));
    this.#done = older.length === 0 || older[0].id === 1;
    if (this.#done) this.#note.textContent = older[0]?.id === 1 ? BEGUN : EXPIRED;
  }
}

/** What is true of a room without messages. @param {import("./js/pubsub.js").Server} server @param {string} room */
export async function silence(server, room) {
  const page = await server.history(room, {limit: 1}).catch(() => null);
  const said = page ? numberOf(page.cursor) : 0;
  if (page?.messages.length || said === 0) return "Nobody has said anything yet.";
  return said === 1 ? "One message was said here. It has expired." : `${said} messages were said here. They have expired.`;
}
