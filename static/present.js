// Has the reader be here under the nick, the same in all tabs, once it is typed to its end.

import {onRemembered, remember} from "./memory.js";

/**
 * @param {import("./js/pubsub.js").Server} server
 * @param {HTMLInputElement} field
 * @param {{value: string}} nick
 * @returns {Set<string>} the names that are or were the reader's
 */
export function keepPresent(server, field, nick) {
  const mine = new Set([server.presence]);
  const take = () => {
    server.presence = nick.value.trim();
    mine.add(server.presence);
  };
  const decide = () => {
    take();
    remember("present", server.presence);
  };
  field.addEventListener("change", decide);
  onRemembered((name) => name === "present" && take());
  if (document.activeElement !== field) decide(); // it may have been typed before this was loaded
  return mine;
}
