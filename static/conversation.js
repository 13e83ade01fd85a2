// Shows messages, gaps and dates as lines, oldest first.

const MAX_LINES = 1000;
// Within this many pixels of the end counts as at the end.
const NEAR = 48;
// Messages of one person within this time stand together.
const TOGETHER = 5 * 60_000;
const KNOWN = new Set(["id", "timestamp", "channel", "nick"]);

const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});
const calendar = new Intl.DateTimeFormat(undefined, {weekday: "long", day: "numeric", month: "long"});
const exact = new Intl.DateTimeFormat(undefined, {dateStyle: "full", timeStyle: "medium"});

export class Conversation {
  #list;
  #hint;
  #empty;
  #isMine;
  #unseen = 0;
  #atEnd = true;
  #last = null;

  /**
   * @param {{list: HTMLElement, hint: HTMLElement, empty: HTMLElement}} elements
   * @param {(nick: string) => boolean} isMine
   */
  constructor({list, hint, empty}, isMine) {
    this.#list = list;
    this.#hint = hint;
    this.#empty = empty;
    this.#isMine = isMine;
    list.addEventListener("scroll", () => this.#scrolled(), {passive: true});
    hint.addEventListener("click", () => this.#goToEnd());
    // A keyboard that slides in must not hide the end.
    new ResizeObserver(() => this.#atEnd && this.#toEnd()).observe(list);
  }

  /**
   * Shows what came together.
   *
   * @param {{message?: object, gap?: object}[]} items
   */
  show(items) {
    const lines = document.createDocumentFragment();
    for (const {message, gap} of items) {
      if (gap) lines.append(this.#note(sentence(gap), "gap"));
      if (!message) continue;
      const when = new Date(message.timestamp * 1000);
      if (!sameDay(when, this.#last?.when ?? new Date())) lines.append(this.#note(calendar.format(when), "day"));
      lines.append(this.#line(message, when));
    }
    this.#append(lines, items.filter(({message}) => message).length);
    this.#empty.hidden = true;
  }

  /** Tells that what was said before is shown. */
  open() {
    this.#list.setAttribute("aria-busy", "false");
    this.#empty.hidden = this.#list.childElementCount > 0;
  }

  #line(message, when) {
    const nick = asText(message.nick);
    const follows = this.#last?.nick === nick && when - this.#last.when < TOGETHER;
    this.#last = {nick, when};

    const time = element("time", "", clock.format(when));
    time.dateTime = when.toISOString();
    time.title = exact.format(when);

    const line = element("div", "line");
    line.classList.toggle("mine", nick !== "" && this.#isMine(nick));
    line.classList.toggle("follows", follows);
    line.style.setProperty("--hue", hue(nick));
    const name = element("bdi", nick ? "nick" : "nick unknown", nick || "unknown");
    line.append(avatar(nick), name, content(message), time);
    return line;
  }

  #note(text, kind) {
    // After a line between, the next message names its sender again.
    this.#last &&= {...this.#last, nick: null};
    const note = element("p", `note ${kind}`);
    note.append(element("span", "", text));
    return note;
  }

  #append(lines, count) {
    const stay = !this.#atEnd && !lines.querySelector(".mine");
    this.#list.append(lines);
    this.#trim();
    if (!stay) this.#toEnd();
    else this.#hintAt(this.#unseen + count);
  }

  #trim() {
    const before = this.#list.scrollHeight;
    while (this.#list.childElementCount > MAX_LINES) this.#list.firstElementChild.remove();
    // What one reads stays where it is. The style sheet turns the browser's own way off.
    if (!this.#atEnd) this.#list.scrollTop -= before - this.#list.scrollHeight;
  }

  #scrolled() {
    const {scrollHeight, scrollTop, clientHeight} = this.#list;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#atEnd) this.#hintAt(0);
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#atEnd = true;
    this.#hintAt(0);
  }

  #goToEnd() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#list.scrollTo({top: this.#list.scrollHeight, behavior: calm ? "instant" : "smooth"});
    this.#list.focus({preventScroll: true});
  }

  #hintAt(unseen) {
    this.#unseen = unseen;
    this.#hint.hidden = unseen === 0;
    if (unseen) this.#hint.textContent = unseen === 1 ? "1 new message" : `${unseen} new messages`;
  }
}

/** What a gap means to a reader. */
function sentence({reason, missed}) {
  const lost = missed === 1 ? "1 message was missed" : `${missed} messages were missed`;
  if (reason === "restarted") {
    return missed ? `The server was restarted: ${lost}` : "The server was restarted: messages may be missing here";
  }
  return missed ? lost : "Messages may be missing here";
}

/** Other programs post any JSON, so that a message is not always text, or not there. */
function content(message) {
  if (message.message !== undefined) {
    const plain = typeof message.message === "string";
    return text(asText(message.message), plain ? "text" : "text data");
  }
  const rest = Object.entries(message).filter(([name]) => !KNOWN.has(name));
  return text(asText(Object.fromEntries(rest)), "text data");
}

function text(words, className) {
  const made = element("p", className, words);
  // Arabic and Hebrew run their own way.
  made.dir = "auto";
  return made;
}

function avatar(nick) {
  const letter = element("span", "avatar", nick ? firstLetter(nick) : "?");
  letter.setAttribute("aria-hidden", "true");
  return letter;
}

function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** An element with text in it, never markup. */
function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** The first letter as a reader counts, which may be several code points. */
function firstLetter(text) {
  if (!Intl.Segmenter) return Array.from(text)[0].toUpperCase();
  const [{segment}] = new Intl.Segmenter().segment(text);
  return segment.toUpperCase();
}

/** A colour for a nick, the same on every screen (FNV-1a, as degrees). */
function hue(nick) {
  let hash = 0x811c9dc5;
  for (const letter of nick) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  return (hash >>> 0) % 360;
}

function sameDay(a, b) {
  return a.toDateString() === b.toDateString();
}
