// Says above the composer who is typing, and tells the others.

import {element} from "./dom.js";
import {sentence} from "./names.js";

const LASTS = 5000;
const EVERY = 3000;
const SEVERAL = 3;

/** Calls back while somebody writes, now and then. @param {HTMLTextAreaElement} field @param {() => void} tell */
export function onTyping(field, tell) {
  let told = -Infinity;
  field.addEventListener("input", () => {
    if (!field.value.trim() || performance.now() - told < EVERY) return;
    told = performance.now();
    tell();
  });
}

export class Typing {
  #line = element("p", "typing");
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  /** When each of them said something last, on the server's clock. @type {Map<string, number>} */
  #said = new Map();
  /** How far the server's clock is behind this one at most, in seconds. */
  #behind = Infinity;

  constructor() {
    this.#line.hidden = true;
    document.getElementById("hint").before(this.#line);
  }

  heard(name, timestamp) {
    if (timestamp < this.#said.get(name) || this.#isOld(timestamp)) return;
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.#end(name), LASTS));
    this.#show();
  }

  /** They have said it. */
  said(name, timestamp) {
    if (this.#said.size > 100) this.#said.clear();
    this.#said.set(name, timestamp);
    this.#end(name);
  }

  clear() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#said.clear();
    this.#show();
  }

  /** What was told while the connection was lost is no news. */
  #isOld(timestamp) {
    const behind = Date.now() / 1000 - timestamp;
    this.#behind = Math.min(this.#behind, behind);
    return (behind - this.#behind) * 1000 > LASTS;
  }

  #end(name) {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#show();
  }

  #show() {
    const names = [...this.#timers.keys()];
    this.#line.hidden = names.length === 0;
    if (names.length >= SEVERAL) this.#line.replaceChildren("Several people are typing");
    else this.#line.replaceChildren(...sentence(names), names.length === 1 ? " is typing" : " are typing");
  }
}
