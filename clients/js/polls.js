// Listens by long polls.

import {piecesOf} from "./pieces.js";
import {poll} from "./request.js";

const SHORT_POLL = 10_000;
// Longer than a server may be set to hold a poll.
const LONG_POLL = 90_000;

/** @type {import("./ways.js").Way} */
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
