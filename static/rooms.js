// The menu of rooms: goes to another room in one step. What it lists is loaded when somebody opens it, or was in other
// rooms, too.

import {composes} from "./dom.js";
import {onRemembered, recallJSON, remember} from "./memory.js";

const MAX = 10;

export class Rooms {
  #menu;
  #server;
  #onGo;
  #here = "";
  /** @type {Promise<import("./roomlist.js").RoomList> | null} */
  #list = null;

  /**
   * @param {HTMLDetailsElement} menu
   * @param {import("./js/pubsub.js").Server} server
   * @param {(room: string) => void} onGo
   */
  constructor(menu, server, onGo) {
    this.#menu = menu;
    this.#server = server;
    this.#onGo = onGo;
    const form = menu.querySelector("form");
    menu.addEventListener("toggle", () => menu.open && this.#opened(form));
    menu.addEventListener("keydown", (event) => event.key === "Escape" && !composes(event) && this.#close());
    addEventListener("pointerdown", (event) => menu.contains(event.target) || (menu.open = false));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go(form.elements.channel.value);
      form.reset();
    });
    onRemembered((name) => name === "rooms" && this.#show());
  }

  /** Rooms one was in, the last one first. @returns {string[]} */
  get names() {
    return recallJSON("rooms") ?? [];
  }

  /** The room one is in. */
  get here() {
    return this.#here;
  }

  /** Tells which room one is in now. @param {string} room */
  enter(room) {
    this.#here = room;
    this.#set([room, ...this.names.filter((name) => name !== room)].slice(0, MAX));
  }

  forget(room) {
    this.#set(this.names.filter((name) => name !== room));
  }

  go(room) {
    this.#menu.open = false;
    if (room !== this.#here) this.#onGo(room);
  }

  #set(names) {
    remember("rooms", JSON.stringify(names));
    this.#show();
  }

  #show() {
    if (this.#list || this.names.length > 1) this.#withList((list) => list.show());
  }

  #opened(form) {
    form.elements.channel.focus();
    this.#withList((list) => list.opened());
  }

  async #withList(act) {
    try {
      this.#list ??= import("./roomlist.js").then(({RoomList}) => new RoomList(this.#menu, this.#server, this));
      act(await this.#list);
    } catch {
      this.#list = null; // the network is gone; the next time it is there
    }
  }

  #close() {
    this.#menu.open = false;
    this.#menu.querySelector("summary").focus();
  }
}
