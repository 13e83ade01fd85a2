// The menu of rooms: those one was in, with what is unread there, and those there are. One click changes the room.

import {button, element} from "./dom.js";

export class Rooms {
  #menu;
  #unread;
  #onGo;
  #here = "";

  /**
   * @param {HTMLDetailsElement} menu
   * @param {import("./unread.js").Unread} unread
   * @param {(room: string) => void} onGo
   */
  constructor(menu, unread, onGo) {
    this.#menu = menu;
    this.#unread = unread;
    this.#onGo = onGo;
    const form = menu.querySelector("form");
    menu.addEventListener("toggle", () => menu.open && this.#opened(form));
    menu.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    addEventListener("pointerdown", (event) => menu.contains(event.target) || (menu.open = false));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#go(form.elements.channel.value);
      form.reset();
    });
  }

  /** @param {string} here the room one is in */
  show(here = this.#here) {
    this.#here = here;
    const total = this.#unread.total;
    const badge = this.#menu.querySelector("summary .badge");
    badge.hidden = total === 0;
    badge.replaceChildren(String(total), element("span", "unseen", " unread in other rooms"));
    if (this.#menu.open) this.#list();
  }

  #opened(form) {
    form.elements.channel.focus();
    this.#list();
    this.#loadAll();
  }

  #list() {
    const items = this.#unread.names.map((room) => {
      const item = this.#item(room, this.#unread.count(room));
      if (room !== this.#here) {
        const leave = button("×", () => this.#unread.leave(room), "small leave");
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
    const names = (answer?.active_channels ?? []).filter((room) => !this.#unread.names.includes(room));
    fill(this.#menu.querySelector(".all-rooms"), names.map((room) => this.#item(room, 0)));
  }

  #item(room, unread) {
    const item = element("li");
    const link = element("a", "", room);
    link.href = `/?channel=${encodeURIComponent(room)}`;
    if (room === this.#here) link.setAttribute("aria-current", "page");
    if (unread) link.append(" ", element("span", "badge", String(unread)), element("span", "unseen", " unread"));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#go(room);
    });
    item.append(link);
    return item;
  }

  #go(room) {
    this.#menu.open = false;
    if (room !== this.#here) this.#onGo(room);
  }

  #close() {
    this.#menu.open = false;
    this.#menu.querySelector("summary").focus();
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
