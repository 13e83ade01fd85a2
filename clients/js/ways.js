// The ways to listen: each follows some rooms until its connection ends.
//
// A way returns how many milliseconds to wait before the next connection, or throws a PubSubError.

import {EventParser} from "./events.js";
import {join, piecesOf} from "./pieces.js";
import {PubSubError, address, ask, isPage, poll, request, somethingElse} from "./request.js";

/**
 * fresh tells that it is not known whether the server is there. patience is how many milliseconds to wait for
 * the first byte of a stream. expect begins a new time limit, after which the connection counts as dead;
 * begun tells that the server answers.
 *
 * @typedef {{site: import("./site.js").Site, rooms: string[], places: string[], fresh: boolean, patience: number, signal: AbortSignal,
 *   expect: (milliseconds: number) => void, begun: () => void, take: (pieces: import("./pieces.js").Piece[]) => void}} Line
 * @typedef {(line: Line) => Promise<number>} Way
 */

// Streams have a heartbeat every 20 s. Browsers do not show that of a WebSocket, so a silent one is opened anew.
const SILENCE = 60_000;
const SHORT_POLL = 10_000;
// Longer than a server may be set to hold a poll.
const LONG_POLL = 90_000;

/** @type {Way} */
export async function polls({site, rooms, places, fresh, signal, expect, begun, take}) {
  const limit = fresh ? SHORT_POLL : LONG_POLL;
  const since = Date.now();
  expect(limit);
  // An answer at once tells soonest whether the server is there.
  const page = await poll({site, rooms, places, wait: !fresh, signal, limit});
  begun();
  take(piecesOf(rooms, places, page));
  // A server that drains, or that has too many polls of this address, answers at once with nothing.
  const hasty = !fresh && !page.gap && page.messages.length === 0 && Date.now() - since < 1000;
  return hasty ? 1000 * (1 + Math.random()) : 0;
}

/** @type {Way} */
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
      if (event.data) join(pieces, pieceOf(event, rooms, at, to));
      at = to;
      begun();
    }
    take(pieces);
    if (ended) return parser.retry;
  }
}

/**
 * @param {import("./events.js").Event} event
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
  const {error, status} = JSON.parse(data);
  return new PubSubError(error, {status, retryAfter});
}

/** @type {Way} */
export async function webSocket({site, rooms, places, patience, signal, expect, begun, take}) {
  expect(patience);
  const url = site.base.replace(/^http/, "ws") + address(site, rooms, places) + (await ticketFor(site, signal));
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new PubSubError("The connection was lost."));
    const socket = new WebSocket(url);
    let opened = false;
    let at = places;
    signal.addEventListener("abort", () => {
      socket.close();
      reject(new PubSubError("The connection was lost."));
    });
    socket.onopen = () => (opened = true);
    socket.onmessage = ({data}) => {
      const page = JSON.parse(data);
      if (!isPage(page) || signal.aborted) return;
      expect(SILENCE);
      begun();
      take(piecesOf(rooms, at, page));
      at = page.cursor.split(",");
    };
    socket.onclose = ({code, reason}) => {
      if (signal.aborted) return;
      if (!opened) reasonNotToOpen({site, rooms, places, signal}).then(reject, reject);
      else if (code === 1001) resolve(1000 * (0.5 + Math.random()));
      else reject(new PubSubError(reason || "The connection was lost.", {retryAfter: reason ? 3000 : 0}));
    };
  });
}

/**
 * A browser cannot send a token with a WebSocket, and addresses are kept in logs. So it sends a ticket, which is good
 * once.
 *
 * @param {import("./site.js").Site} site
 * @param {AbortSignal} signal
 */
async function ticketFor(site, signal) {
  if (!site.asksWithToken) return "";
  const {ticket} = await ask(site, "/ticket", {method: "POST", signal});
  return `&ticket=${encodeURIComponent(ticket)}`;
}

/**
 * A browser does not tell why a WebSocket does not open. The same as a poll does.
 *
 * @param {Pick<Line, "site" | "rooms" | "places" | "signal">} line
 */
async function reasonNotToOpen(line) {
  await poll({...line, wait: false});
  return new PubSubError("A WebSocket cannot be opened.", {otherWay: true});
}
