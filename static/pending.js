// Shows what is written and not yet published, below the conversation, with what one can do about it.

import {button, element} from "./dom.js";
import {inDoubt} from "./outbox.js";

const WORDS = {
  undecided: "Who says this? Enter a nick, or",
  doubt: "No answer for 4 minutes: nobody knows whether it was sent.",
  waiting: "Not sent yet",
};

export class Pending {
  #list;
  #acts;
  #lines = new Map();
  /** Lines of what is sent, by identity, until the conversation shows it. */
  #sent = new Map();

  /**
   * @param {HTMLElement} list
   * @param {{again: (entry: object) => void, takeBack: (entry: object) => void, unnamed: () => void}} acts
   */
  constructor(list, acts) {
    this.#list = list;
    this.#acts = acts;
  }

  /** @param {import("./outbox.js").Entry[]} entries */
  show(entries) {
    const lines = new Map();
    for (const entry of entries) {
      const state = stateOf(entry);
      const old = this.#lines.get(entry.name);
      lines.set(entry.name, old?.dataset.state === state ? old : this.#line(entry, state));
    }
    this.#lines = lines;
    const wanted = [...this.#sent.values(), ...lines.values()];
    if (wanted.length !== this.#list.children.length || wanted.some((line, i) => line !== this.#list.children[i])) {
      this.#list.replaceChildren(...wanted);
    }
  }

  get isEmpty() {
    return this.#lines.size === 0;
  }

  /** Keeps the line of a sent entry until the conversation has it. */
  keep(entry, identity) {
    const line = this.#lines.get(entry.name);
    if (!line) return;
    line.dataset.state = "sent";
    line.querySelector(".do").replaceChildren();
    this.#sent.set(identity, line);
  }

  /** Drops the lines of what the conversation shows. */
  arrived(identity) {
    this.#sent.get(identity)?.remove();
    this.#sent.delete(identity);
  }

  /** Hides the line of what the conversation shows before the server has said that it is sent. */
  hide(entry) {
    this.#lines.get(entry.name)?.classList.add("there");
  }

  clear() {
    this.#sent.clear();
    this.#lines.clear();
    this.#list.replaceChildren();
  }

  #line(entry, state) {
    const line = element("div", "line mine pending");
    line.dataset.state = state;
    const text = element("p", "text", entry.message);
    text.dir = "auto";
    const actions = element("div", "do");
    if (state !== "waiting") actions.setAttribute("role", "alert"); // the person has to do something
    actions.append(element("span", "", entry.failed ? `Not sent: ${entry.failed}` : WORDS[state]), " ");
    if (state === "undecided") actions.append(button("send without one", this.#acts.unnamed));
    if (state === "failed" || state === "doubt") actions.append(button("Send again", () => this.#acts.again(entry)), " ");
    actions.append(button("Take back", () => this.#acts.takeBack(entry)));
    line.append(text, actions);
    return line;
  }
}

function stateOf(entry) {
  if (entry.nick === undefined) return "undecided";
  if (entry.failed) return "failed";
  return inDoubt(entry) ? "doubt" : "waiting";
}
