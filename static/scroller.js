// Keeps the end in sight while one is there, and otherwise what one reads where it is.

// Within this many pixels of the end counts as at the end; so near to the top, more is asked for.
const NEAR = 48;
const TOP = 400;

export class Scroller {
  #box;
  #hint;
  #onTop;
  #unseen = 0;
  atEnd = true;

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} hint the button that goes to the end
   * @param {() => void} onTop one has scrolled near to the top
   */
  constructor(box, hint, onTop) {
    this.#box = box;
    this.#hint = hint;
    this.#onTop = onTop;
    box.addEventListener("scroll", () => this.#scrolled(), {passive: true});
    hint.addEventListener("click", () => this.#goToEnd());
    // A keyboard that slides in, or a message that waits to be sent, must not hide the end.
    const keep = new ResizeObserver(() => (this.atEnd ? this.toEnd() : this.#scrolled()));
    for (const part of [box, ...box.children]) keep.observe(part);
  }

  /** Makes a change above what one reads, which stays where it is. The style sheet turns the browser's way off. */
  keep(change) {
    const before = this.#box.scrollHeight;
    change();
    this.#box.scrollTop += this.#box.scrollHeight - before;
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.atEnd = true;
    this.#hintAt(0);
  }

  /** Tells of messages below what one reads. */
  more(count) {
    this.#hintAt(this.#unseen + count);
  }

  get nearTop() {
    return this.#box.scrollTop < TOP;
  }

  #scrolled() {
    const {scrollHeight, scrollTop, clientHeight} = this.#box;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.atEnd) this.#hintAt(0);
    if (this.nearTop) this.#onTop();
  }

  #goToEnd() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#box.scrollTo({top: this.#box.scrollHeight, behavior: calm ? "instant" : "smooth"});
    this.#box.focus({preventScroll: true});
  }

  #hintAt(unseen) {
    this.#unseen = unseen;
    this.#hint.hidden = unseen === 0;
    if (unseen) this.#hint.textContent = unseen === 1 ? "1 new message" : `${unseen} new messages`;
  }
}
