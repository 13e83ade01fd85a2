// The field in which one writes: as high as what is in it. Enter sends, Shift+Enter is a new line. Keeps a draft per
// room.

import {composes} from "./dom.js";
import {recall, remember} from "./memory.js";

export class Composer {
  #field;
  #room = "";

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLTextAreaElement} field
   * @param {(text: string) => void} onSend
   */
  constructor(form, field, onSend) {
    this.#field = field;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value;
      if (!text.trim()) return;
      this.#set("");
      onSend(text);
    });
    const isSend = (event) => event.key === "Enter" && !event.shiftKey && !composes(event);
    field.addEventListener("keydown", (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    // Some that type for a person do not heed what becomes of the key, and the line would break in the next message.
    field.addEventListener("keypress", (event) => isSend(event) && event.preventDefault());
    field.addEventListener("input", () => this.#changed());
  }

  /** Goes to a room, and takes its draft. What was typed before the first one stays. */
  open(room) {
    const typed = this.#room ? "" : this.#field.value;
    this.#room = room;
    this.#field.placeholder = `Message #${room}`;
    this.#set(typed || (draft(this.#name) ?? ""));
  }

  /** Puts a text back, before what is typed. */
  putBack(text) {
    this.#set([text, this.#field.value].filter(Boolean).join("\n"));
    this.#field.focus();
  }

  get #name() {
    return `draft/${this.#room}`;
  }

  #set(text) {
    this.#field.value = text;
    this.#changed();
  }

  #changed() {
    // Two tabs of a room each have a draft; a new tab has the last one.
    try {
      sessionStorage.setItem(this.#name, this.#field.value);
    } catch {
      // Storage is off or full.
    }
    remember(this.#name, this.#field.value || null);
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

function draft(name) {
  try {
    return sessionStorage.getItem(name) ?? recall(name);
  } catch {
    return recall(name);
  }
}
