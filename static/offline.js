// What there is to see without a network: the page itself, by a service worker, and the last messages of each room.

import {recallJSON, remember} from "./memory.js";

const name = (room) => `kept/${room}`;

/** The last messages of a room that were shown here. @returns {import("./conversation.js").Item[]} */
export const keptOf = (room) => recallJSON(name(room)) ?? [];

/** @param {string} room @param {import("./conversation.js").Item[]} items */
export const keep = (room, items) => remember(name(room), JSON.stringify(items));

/** Keeps the page itself. */
export async function keepPage() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  try {
    const had = workers.controller !== null;
    await workers.register("/sw.js");
    const {active} = await workers.ready;
    if (had) return;
    const loaded = performance.getEntriesByType("resource").filter(({initiatorType}) => initiatorType !== "fetch");
    active.postMessage({paths: ["/", ...new Set(loaded.map((entry) => new URL(entry.name).pathname))]});
  } catch {
    // It is switched off, or the network is gone already.
  }
}
