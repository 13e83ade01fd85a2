// Takes a stream of Server-Sent Events apart.

/** @typedef {{type: string, id?: string, data: string}} Event */

export class EventParser {
  #rest = "";
  /** @type {Event} */
  #event = {type: "message", data: ""};
  /** What the server last asked to wait for before coming back, in milliseconds. */
  retry = 0;

  /**
   * Takes some text in, and returns the events that end in it.
   *
   * @param {string} text
   * @returns {Event[]}
   */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    /** @type {Event[]} */
    const events = [];
    for (const line of lines) {
      if (line) this.#line(line);
      else events.push(this.#end());
    }
    return events;
  }

  /** @param {string} line */
  #line(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#event.data += (this.#event.data && "\n") + value;
    else if (name === "event") this.#event.type = value;
    else if (name === "id") this.#event.id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #end() {
    const event = this.#event;
    this.#event = {type: "message", data: ""};
    return event;
  }
}
