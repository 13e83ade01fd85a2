// Reads a room, and hands on together what comes together.

import {numberOf} from "./cursor.js";

const HISTORY = "-50";
// In a flood messages are shown this seldom, and so many at a time unless the page falls behind: a slow computer still
// answers the keyboard.
const PAUSE = 150;
const SLICE = 40;

/**
 * @param {import("./js/pubsub.js").Server} server
 * @param {string} room
 * @param {{onItems: (items: import("./conversation.js").Item[], first: boolean) => void, onOpen: () => void,
 *   onStatus: (status: object) => void}} events first: they were there before the page; onOpen comes once, behind them
 * @returns {() => void} ends it
 */
export function read(server, room, {onItems, onOpen, onStatus}) {
  const items = [];
  let first = true;
  let last = -PAUSE;
  const hand = () => {
    if (!items.length) return;
    const all = first || document.hidden;
    const together = items.splice(0, all ? items.length : Math.max(SLICE, items.length / 4));
    onItems(together, first);
    last = performance.now();
    if (items.length) soon(() => setTimeout(hand), -PAUSE); // when these are drawn
  };
  const add = (item) => {
    if (items.push(item) === 1) soon(hand, last);
  };
  document.addEventListener("visibilitychange", hand);
  const stop = server.follow(room, {
    since: HISTORY,
    onMessage: (message, cursor) => add({message, cursor}),
    onGap: (gap) => add({gap}),
    onStatus(status) {
      if (first) hand();
      if (first && status.name === "open") onOpen();
      first &&= status.name !== "open";
      onStatus(status);
    },
  });
  return () => {
    stop();
    document.removeEventListener("visibilitychange", hand);
    items.length = 0; // they are of no use in the next room
  };
}

/** Before the page is drawn, but in a flood seldom. */
function soon(act, last) {
  if (document.hidden) return queueMicrotask(act);
  const wait = last + PAUSE - performance.now();
  if (wait > 0) setTimeout(act, wait);
  else requestAnimationFrame(act);
}

/** What is true of a room without messages. @param {import("./js/pubsub.js").Server} server @param {string} room */
export async function silence(server, room) {
  const page = await server.history(room, {limit: 1}).catch(() => null);
  const said = page ? numberOf(page.cursor) : 0;
  if (page?.messages.length || said === 0) return "Nobody has said anything yet.";
  return said === 1 ? "One message was said here. It has expired." : `${said} messages were said here. They have expired.`;
}
