// The ways to listen: each follows some rooms until its connection ends. Those that are seldom taken are loaded when
// they are.
//
// A way returns how many milliseconds to wait before the next connection, or throws a PubSubError.

import {sse} from "./sse.js";
import {canShare} from "./tabs.js";

/**
 * fresh tells that it is not known whether the server is there. patience is how many milliseconds to wait for
 * the first byte of a stream. expect begins a new time limit, after which the connection counts as dead;
 * begun tells that the server answers.
 *
 * @typedef {{site: import("./site.js").Site, rooms: string[], places: string[], fresh: boolean, patience: number, signal: AbortSignal,
 *   expect: (milliseconds: number) => void, begun: () => void, take: (pieces: import("./pieces.js").Piece[]) => void}} Line
 * @typedef {(line: Line) => Promise<number>} Way
 */

/** @type {Way} */
const polls = async (line) => (await loaded(line, import("./polls.js"))).polls(line);

/** @type {Way} */
const webSocket = async (line) => (await loaded(line, import("./websocket.js"))).webSocket(line);

/**
 * @template T
 * @param {Line} line
 * @param {Promise<T>} module
 */
function loaded({expect, patience}, module) {
  expect(patience);
  return module;
}

const WAYS = {sse: [sse], ws: [webSocket], poll: [polls]};

/**
 * The ways to try, in this order.
 *
 * @param {keyof WAYS} [way] the only one
 */
export function waysToTry(way) {
  if (way) return WAYS[way];
  // A browser opens six connections to a host. Where tabs cannot share one, they would take all of them from
  // the posts, but for WebSockets, which do not count.
  return globalThis.document && !canShare() ? [webSocket, polls] : [sse, polls];
}
