// Shows beside the room how many are here, and their names when one opens it.

import {element} from "./dom.js";
import {look} from "./line.js";

export class Here {
  #box = element("details", "here");
  #summary = element("summary");
  #menu = element("div", "menu");

  /** @param {() => void} onOpen */
  constructor(onOpen) {
    this.#box.hidden = true;
    this.#box.append(this.#summary, this.#menu);
    this.#box.addEventListener("toggle", () => this.isOpen && onOpen());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
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
   * @param {Set<string> | null} names null if they are not known
   * @param {Set<string>} mine those of the reader
   */
  show(count, names, mine) {
    this.#box.hidden = count === 0;
    this.#summary.replaceChildren(String(count), element("span", "words", " here"));
    this.#summary.title = count === 1 ? "One person is here" : `${count} people are here`;
    const heading = element("h2", "", this.#summary.title);
    if (names) this.#menu.replaceChildren(heading, list([...names].sort(byName), mine));
    else this.#menu.replaceChildren(heading, element("p", "", "Names are not listed of more than 50."));
  }

  hide() {
    this.#box.hidden = true;
    this.#box.open = false;
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
