// The title of the page: the room, and how many messages came while nobody looked.

export class Title {
  #room = "";
  #unread = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => document.hidden || this.#show(0));
  }

  open(room) {
    this.#room = room;
    this.#show(0);
  }

  count(more) {
    this.#show(this.#unread + more);
  }

  #show(unread) {
    this.#unread = unread;
    document.title = `${unread ? `(${unread}) ` : ""}${this.#room} · pubsub`;
  }
}
