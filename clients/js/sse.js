// Listens by Server-Sent Events.

import {join} from "./pieces.js";
import {PubSubError, address, request, somethingElse} from "./request.js";
import {SILENCE} from "./wait.js";

/** @type {import("./ways.js").Way} */
export async function sse({site, rooms, places, patience, signal, expect, begun, take}) {
  expect(patience);
  const response = await request(site, address(site, rooms, places), {headers: {Accept: "text/event-stream"}, signal});
  if (!response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw somethingElse();
  const reader = response.body.getReader();
  const text = new TextDecoder();
  const parser = new EventParser();
  let at = places;
  for (;;) {
    const {done, value} = await reader.read().catch(() => ({done: true, value: undefined}));
    if (done) throw new PubSubError("The connection was lost.", {retryAfter: parser.retry});
    expect(SILENCE);
    /** @type {import("./pieces.js").Piece[]} */
    const pieces = [];
    let ended = false;
    for (const event of parser.push(text.decode(value, {stream: true}))) {
      if (event.type === "error") throw refusal(event.data, parser.retry);
      ended ||= event.type === "end";
      if (event.id === undefined || ended) continue;
      const to = event.id.split(",");
      // An empty object comes with the place at the beginning.
      if (event.data[2]) join(pieces, pieceOf(event, rooms, at, to));
      at = to;
      begun();
    }
    take(pieces);
    if (ended) return parser.retry;
  }
}

/**
 * @param {Event} event
 * @param {string[]} rooms
 * @param {string[]} from
 * @param {string[]} to
 * @returns {import("./pieces.js").Piece}
 */
function pieceOf({type, data}, rooms, from, to) {
  const said = JSON.parse(data);
  const i = rooms.length === 1 ? 0 : rooms.indexOf(said.channel);
  const place = {room: rooms[i], from: from[i], to: to[i]};
  return type === "gap" ? {...place, messages: [], cursors: [], gap: said} : {...place, messages: [said], cursors: [to[i]]};
}

/**
 * @param {string} data
 * @param {number} retryAfter
 */
function refusal(data, retryAfter) {
  const {error, ...details} = JSON.parse(data);
  return new PubSubError(error, {...details, retryAfter});
}

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
