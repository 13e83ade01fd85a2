// Listens over a WebSocket.

import {piecesOf} from "./pieces.js";
import {PubSubError, address, ask, isPage, poll, somethingElse} from "./request.js";
import {SILENCE} from "./wait.js";

// For so long one that is not wanted any more may still open.
const LINGER = 2_000;

/** @type {import("./ways.js").Way} */
export async function webSocket({site, rooms, places, patience, signal, expect, begun, take}) {
  expect(patience);
  const url = site.base.replace(/^http/, "ws") + address(site, rooms, places) + (await ticketFor(site, signal));
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new PubSubError("The connection was lost."));
    const socket = new WebSocket(url);
    let opened = false;
    let at = places;
    signal.addEventListener("abort", () => {
      // Browsers write to the console that one was closed before it was open, and open the next one after it.
      socket.onopen = () => socket.close();
      if (opened) socket.close();
      else setTimeout(() => socket.close(), LINGER);
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
  if (!(await site.token())) return "";
  const {ticket} = (await ask(site, "/ticket", {method: "POST", signal})) ?? {};
  if (typeof ticket !== "string") throw somethingElse({otherWay: false});
  return `&ticket=${encodeURIComponent(ticket)}`;
}

/**
 * A browser does not tell why a WebSocket does not open. The same as a poll does.
 *
 * @param {Pick<import("./ways.js").Line, "site" | "rooms" | "places" | "signal">} line
 */
async function reasonNotToOpen(line) {
  await poll({...line, wait: false});
  return new PubSubError("A WebSocket cannot be opened.", {otherWay: true});
}
