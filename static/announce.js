// Tells of messages that come while nobody looks: how many in the title of the page, and those that name the reader by a
// notice where he allowed it.

import {identity} from "./cursor.js";
import {nickOf, plain} from "./line.js";
import {names} from "./text.js";

let unread = 0;

document.addEventListener("visibilitychange", () => document.hidden || show(0));

/**
 * @param {import("./conversation.js").Item[]} items that came together, of others
 * @param {string} room
 * @param {string} me the reader's nick
 */
export function announce(items, room, me) {
  if (!document.hidden) return;
  show(unread + items.length);
  for (const {message, cursor} of items) {
    const text = plain(message);
    if (names(text, me)) notify(`${nickOf(message) || "unknown"} in ${room}`, {body: text, tag: identity(message.id, cursor)});
  }
}

function show(count) {
  unread = count;
  document.title = `${count ? `(${count}) ` : ""}${document.body.dataset.channel} · pubsub`;
}

/** Two tabs that tell of the same under one tag show it once. */
function notify(title, about) {
  if (globalThis.Notification?.permission !== "granted") return;
  try {
    const notice = new Notification(title, about);
    notice.addEventListener("click", () => {
      focus();
      notice.close();
    });
  } catch {
    // Phones show notices from service workers only.
  }
}
