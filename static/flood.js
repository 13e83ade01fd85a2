// Many messages at once are neither animated nor read out: a screen reader hears how many they were.

const WINDOW = 2000;
const MANY = 6;
const PAUSE = 5000;

export class Flood {
  #log;
  #summary;
  #recent = [];
  #untold = 0;
  #timer;

  /**
   * @param {HTMLElement} log what is read out
   * @param {HTMLElement} summary what says how many there were
   */
  constructor(log, summary) {
    this.#log = log;
    this.#summary = summary;
  }

  /** Is told before so many messages are shown. Returns whether they are many. */
  count(messages) {
    const now = Date.now();
    this.#recent = [...this.#recent.filter(({at}) => now - at < WINDOW), {at: now, messages}];
    const many = this.#recent.reduce((sum, {messages}) => sum + messages, 0) >= MANY;
    this.#log.setAttribute("aria-live", many ? "off" : "polite");
    if (!many) return false;
    this.#untold += messages;
    this.#timer ??= setTimeout(() => this.#tell(), PAUSE);
    return true;
  }

  #tell() {
    this.#timer = undefined;
    this.#summary.textContent = `${this.#untold} new messages`;
    this.#untold = 0;
  }
}
