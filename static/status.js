// Says in a few words how things stand. Counts down to the next try for the eye only: a screen reader
// hears the change, not every second.

const WORDS = {
  connecting: "Connecting",
  open: "Connected",
  reconnecting: "Reconnecting.",
  offline: "Offline.",
  refused: "Not connected.",
  sending: "Sending",
  resending: "Sending again",
  waiting: "Not sent yet.",
  unsent: "Not sent.",
  sent: "",
};

// What is mostly over sooner than this is not worth a word.
const LATE = {sending: 500};

export class Status {
  #words;
  #countdown;
  #element;
  #timer;
  #late;
  #until = 0;

  /** @param {HTMLElement} element holds .words and .countdown */
  constructor(element) {
    this.#element = element;
    this.#words = element.querySelector(".words");
    this.#countdown = element.querySelector(".countdown");
  }

  /** @param {{name: string, reason?: string, until?: number}} state until: when the next try comes */
  show({name, reason, until}) {
    const words = reason ? `${WORDS[name]} ${reason}` : WORDS[name];
    this.#element.dataset.state = name;
    this.#until = until ?? 0;
    clearTimeout(this.#late);
    if (LATE[name]) this.#late = setTimeout(() => this.#say(words), LATE[name]);
    else this.#say(words);
    clearInterval(this.#timer);
    if (until) this.#timer = setInterval(() => this.#count(), 1000);
    this.#count();
  }

  #say(words) {
    // The same words again would be read out again.
    if (this.#words.textContent !== words) this.#words.textContent = words;
  }

  #count() {
    const seconds = Math.ceil((this.#until - Date.now()) / 1000);
    this.#countdown.textContent = seconds > 0 ? `Next try in ${seconds} s.` : "";
  }
}
