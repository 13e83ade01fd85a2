// What the menu of rooms lists: those one was in, with what is unread there, and those there are.

import {button, element} from "./dom.js";
import {Unread} from "./unread.js";

export class RoomList {
  #menu;
  #rooms;
  #unread;

  /**
   * @param {HTMLDetailsElement} menu
   * @param {import("./js/pubsub.js").Server} server
   * @param {import("./rooms.js").Rooms} rooms
   */
  constructor(menu, server, rooms) {
    this.#menu = menu;
    this.#rooms = rooms;
    this.#unread = new Unread(server, () => this.#count());
  }

  /** Shows the rooms as they are now. */
  show() {
    this.#unread.follow(this.#rooms.names.filter((name) => name !== this.#rooms.here));
    this.#count();
  }

  /** Somebody has opened the menu. */
  opened() {
    this.show();
    this.#loadAll();
  }

  #count() {
    const total = this.#unread.total;
    const badge = this.#menu.querySelector("summary .badge");
    badge.hidden = total === 0;
    badge.replaceChildren(String(total), element("span", "unseen", " unread in other rooms"));
    if (this.#menu.open) this.#list();
  }

  #list() {
    const items = this.#rooms.names.map((room) => {
      const item = this.#item(room, this.#unread.count(room));
      if (room !== this.#rooms.here) {
        const leave = button("×", () => this.#rooms.forget(room), "small leave");
        leave.setAttribute("aria-label", `Forget ${room}`);
        item.append(leave);
      }
      return item;
    });
    fill(this.#menu.querySelector(".mine-rooms"), items);
  }

  /** A server may not tell its rooms. */
  async #loadAll() {
    const answer = await fetch("/channels?limit=100", {cache: "no-store"}).then((answer) => answer.ok && answer.json()).catch(() => null);
    const names = (answer?.active_channels ?? []).filter((room) => !this.#rooms.names.includes(room));
    fill(this.#menu.querySelector(".all-rooms"), names.map((room) => this.#item(room, 0)));
  }

  #item(room, unread) {
    const item = element("li");
    const link = element("a", "", room);
    link.href = `/?channel=${encodeURIComponent(room)}`;
    if (room === this.#rooms.here) link.setAttribute("aria-current", "page");
    if (unread) link.append(" ", element("span", "badge", String(unread)), element("span", "unseen", " unread"));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#rooms.go(room);
    });
    item.append(link);
    return item;
  }
}

/** Shows a list with its heading, or neither. */
function fill(section, items) {
  section.hidden = items.length === 0;
  const list = section.querySelector("ul");
  const at = Array.from(list.querySelectorAll("a, button")).indexOf(document.activeElement);
  list.replaceChildren(...items);
  if (at >= 0) list.querySelectorAll("a, button")[at]?.focus();
}
