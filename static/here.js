// Shows beside the room how many are here, and their names when one opens it.

import {composes, element} from "./dom.js";
import {look} from "./line.js";

// Of more people a server tells no names.
const MAX = 50;

export class Here {
  #box = element("details", "here");
  #summary = element("summary");
  #count = new Text(); // stays the same: a click whose button comes up over another node would be lost
  #menu = element("div", "menu");

  /** @param {() => void} onOpen */
  constructor(onOpen) {
    this.#box.hidden = true;
    this.#summary.append(this.#count, element("span", "words", " here"));
    this.#box.append(this.#summary, this.#menu);
    this.#box.addEventListener("toggle", () => this.isOpen && onOpen());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event)) return;
      this.#box.open = false;
      this.#summary.focus();
    });
    addEventListener("pointerdown", ({target}) => this.#box.contains(target) || (this.#box.open = false));
    document.querySelector(".rooms").after(this.#box);
  }

  get isShown() {
    return !this.#box.hidden;
  }

  get isOpen() {
    return this.#box.open;
  }

  /**
   * @param {number} count
   * @param {Set<string> | null} names null if they are not known, or not yet
   * @param {Set<string>} mine those of the reader
   */
  show(count, names, mine) {
    this.#box.hidden = count === 0;
    this.#count.data = count;
    this.#summary.title = count === 1 ? "One person is here" : `${count} people are here`;
    const heading = element("h2", "", this.#summary.title);
    this.#menu.replaceChildren(heading, ...this.#body(count, names, mine));
  }

  hide() {
    this.#box.hidden = true;
    this.#box.open = false;
    this.#menu.replaceChildren();
  }

  #body(count, names, mine) {
    if (names) return [list([...names].sort(byName), mine)];
    if (count > MAX) return [element("p", "", `Names are not listed of more than ${MAX}.`)];
    return this.#menu.querySelectorAll("ul"); // it will be right in a moment
  }
}

const byName = new Intl.Collator().compare;

function list(names, mine) {
  const made = element("ul");
  for (const name of names) {
    const item = element("li");
    const {hue, letter} = look(name);
    const avatar = element("span", "avatar", letter);
    avatar.style.setProperty("--hue", hue);
    avatar.ariaHidden = "true";
    item.append(avatar, element("bdi", "", name));
    if (mine.has(name)) item.append(element("span", "you", "you"));
    made.append(item);
  }
  return made;
}
