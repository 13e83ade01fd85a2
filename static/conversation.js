// Shows messages, gaps and dates as lines, oldest first.

import {identity} from "./cursor.js";
import {Flood} from "./flood.js";
import {dayNote, exactly, gapNote, messageLine, nickOf, note} from "./line.js";
import {Scroller} from "./scroller.js";

const MAX_LINES = 1000;
// So many go together: without the first line, all others move.
const TRIM = 200;
// While one reads above, nothing goes until there are so many.
const MAX_READING = 5000;
// Messages of one person within this time stand together.
const TOGETHER = 5 * 60_000;

/** @typedef {{message?: object, cursor?: string, gap?: object}} Item a message with its cursor, or a gap */

export class Conversation {
  #list;
  #scroller;
  #flood;
  #judge;
  #about = new WeakMap();
  #byIdentity = new Map();
  #last = null;
  #first = true;

  /**
   * @param {{box: HTMLElement, list: HTMLElement, hint: HTMLElement, summary: HTMLElement}} elements
   * @param {{isMine: (identity: string, message: object) => boolean, me: () => string, isNew: (item: Item) => boolean,
   *   onTop: () => void}} judge me: the reader's nick; isNew: came since the reader left
   */
  constructor({box, list, hint, summary}, judge) {
    this.#list = list;
    this.#judge = judge;
    this.#scroller = new Scroller(box, hint, judge.onTop);
    this.#flood = new Flood(list, summary);
    list.addEventListener("pointerover", ({target}) => {
      if (target.localName === "time") target.title = exactly(this.#about.get(target.parentElement).message);
    });
  }

  /** Begins with another room. */
  clear() {
    this.#list.replaceChildren();
    this.#list.setAttribute("aria-busy", "true");
    this.#byIdentity.clear();
    this.#last = null;
    this.#first = true;
    this.#scroller.toEnd();
  }

  /** Shows what came together. @param {Item[]} items */
  show(items) {
    const count = items.filter(({message}) => message).length;
    const still = this.#first || this.#flood.count(count);
    const lines = this.#lines(items);
    if (!still) for (const line of lines.children) line.classList.add("arrives");
    const stay = !this.#scroller.atEnd && !lines.querySelector(".mine");
    this.#list.append(lines);
    this.#trim();
    if (stay) this.#scroller.more(count);
    else this.#scroller.toEnd();
  }

  /** Goes to the end, as the reader does something there. */
  toEnd() {
    this.#scroller.toEnd();
  }

  /** Shows a line that is no message. Nothing counts it. @param {HTMLElement} line */
  aside(line) {
    const stay = !this.#scroller.atEnd;
    this.#list.append(this.#note(line));
    if (!stay) this.#scroller.toEnd();
  }

  /** Shows older messages above the others. @param {Item[]} items */
  showOlder(items) {
    const last = this.#last;
    this.#last = null;
    const lines = this.#lines(items, true);
    const upTo = this.#last?.when;
    this.#last = last;
    const below = new Date((this.oldest?.message.timestamp ?? 0) * 1000);
    this.#scroller.keep(() => {
      const top = this.#list.firstElementChild;
      if (top?.matches(".day") && sameDay(upTo, below)) top.remove();
      else if (top?.matches(".line") && !sameDay(upTo, below)) lines.append(dayNote(below));
      this.#list.prepend(lines);
    });
  }

  /** Tells that what was said before is shown. */
  open() {
    this.#list.setAttribute("aria-busy", "false");
    this.#first = false;
  }

  get isEmpty() {
    return !this.#list.querySelector(":scope > :not(.quiet)");
  }

  get nearTop() {
    return this.#scroller.nearTop;
  }

  /** The first message that is shown. @returns {Item | undefined} */
  get oldest() {
    const line = this.#list.querySelector(".line");
    return line ? this.#about.get(line) : undefined;
  }

  /** The last messages that are shown. @returns {Item[]} */
  last(count) {
    return Array.from(this.#list.querySelectorAll(".line")).slice(-count).map((line) => this.#about.get(line));
  }

  /** Whether a message is shown. */
  has(identity) {
    return this.#byIdentity.has(identity);
  }

  /** Tells anew which messages are the reader's own. */
  mark() {
    for (const [identity, line] of this.#byIdentity) {
      line.classList.toggle("mine", this.#judge.isMine(identity, this.#about.get(line).message));
    }
  }

  /** All lines in order, with the item of each that has one. */
  get entries() {
    return Array.from(this.#list.children, (line) => ({line, item: this.#about.get(line)}));
  }

  #lines(items, older = false) {
    const lines = document.createDocumentFragment();
    for (const item of items) {
      if (item.gap) lines.append(this.#note(gapNote(item.gap)));
      if (!item.message) continue;
      const when = new Date(item.message.timestamp * 1000);
      if (!sameDay(when, this.#last?.when ?? new Date())) lines.append(this.#note(dayNote(when), when));
      if (!older && this.#judge.isNew(item)) {
        this.#list.querySelector(".new")?.remove();
        lines.append(this.#note(note("New since you left", "new")));
      }
      lines.append(this.#line(item, when));
    }
    return lines;
  }

  #line(item, when) {
    const {message, cursor} = item;
    const nick = nickOf(message);
    const name = identity(message.id, cursor);
    const mine = this.#judge.isMine(name, message);
    const follows = this.#last?.nick === nick && this.#last.mine === mine && when - this.#last.when < TOGETHER;
    this.#last = {nick, mine, when};
    const line = messageLine(message, {mine, follows, me: this.#judge.me()});
    this.#about.set(line, item);
    this.#byIdentity.set(name, line);
    return line;
  }

  /** After a line between, the next message names its sender again. */
  #note(line, when = this.#last?.when) {
    this.#last = when ? {when, nick: null} : null;
    return line;
  }

  /** Drops the oldest messages. The note of a gap stays where it is. */
  #trim() {
    const max = this.#scroller.atEnd ? MAX_LINES : MAX_READING;
    if (this.#byIdentity.size < max + TRIM) return;
    const drop = () => {
      while (this.#byIdentity.size > max) this.#drop();
    };
    if (this.#scroller.atEnd) drop();
    else this.#scroller.keep(drop);
  }

  #drop() {
    const before = [];
    let line = this.#list.firstElementChild;
    for (; !this.#about.has(line); line = line.nextElementSibling) before.push(line);
    const {message, cursor} = this.#about.get(line);
    if (line.nextElementSibling?.matches(".quiet")) line.nextElementSibling.remove();
    this.#byIdentity.delete(identity(message.id, cursor));
    line.remove();
    // Of what stood before it, the last gap still tells the truth.
    const gap = before.findLast((line) => line.matches(".gap"));
    for (const line of before) if (line !== gap) line.remove();
  }
}

function sameDay(a, b) {
  return a.toDateString() === b.toDateString();
}
