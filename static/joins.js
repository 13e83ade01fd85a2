// Says in quiet lines who came and went. Those that come together are one line, also with the line before it, until
// somebody says something.

import {element} from "./dom.js";
import {sentence} from "./names.js";

const TOGETHER = 1000;
// Of so many within some seconds none is read out.
const MANY = 4;
const STORM = 10_000;
const MAX = 500;

export class Joins {
  #onLine;
  #line = element("p");
  #came = new Set();
  #left = new Set();
  #waiting = new Map();
  #timer;
  #recent = [];

  /** @param {(line: HTMLElement) => void} onLine */
  constructor(onLine) {
    this.#onLine = onLine;
  }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    this.#came.clear();
    this.#left.clear();
  }

  heard(came, name) {
    this.#waiting.set(name, came);
    this.#timer ??= setTimeout(() => this.#show(), TOGETHER);
  }

  #show() {
    this.#timer = undefined;
    const isLast = this.#line.isConnected && !this.#line.nextElementSibling;
    if (!isLast || this.#came.size + this.#left.size > MAX) {
      this.#came.clear();
      this.#left.clear();
    }
    for (const [name, came] of this.#waiting) this.#sort(name, came);
    if (isLast) this.#line.remove();
    this.#line = element("p", "note quiet");
    if (this.#isStorm(this.#waiting.size)) this.#line.ariaLive = "off";
    this.#waiting.clear();
    this.#line.append(this.#words());
    this.#onLine(this.#line);
  }

  /** Only what somebody did last counts. */
  #sort(name, came) {
    const [to, from] = came ? [this.#came, this.#left] : [this.#left, this.#came];
    from.delete(name);
    to.add(name);
  }

  #words() {
    const words = element("span");
    if (this.#came.size) words.append(...sentence([...this.#came]), " came");
    if (this.#came.size && this.#left.size) words.append(" · ");
    if (this.#left.size) words.append(...sentence([...this.#left]), " left");
    return words;
  }

  #isStorm(count) {
    const now = Date.now();
    this.#recent = [...this.#recent.filter(({at}) => now - at < STORM), {at: now, count}];
    return this.#recent.reduce((sum, {count}) => sum + count, 0) >= MANY;
  }
}
