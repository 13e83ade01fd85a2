// The buttons at the end of the menu, which are loaded when it is opened: copy the conversation, be notified, and forget
// the token.

import {button} from "./dom.js";
import {exactly, nickOf, plain} from "./line.js";
import {recall, remember} from "./memory.js";

/**
 * @param {HTMLElement} menu
 * @param {() => {line: Element, item?: import("./conversation.js").Item}[]} entries what the conversation shows
 */
export function offerTools(menu, entries) {
  offerCopy(menu.querySelector("#copy"), entries);
  offerNotices(menu.querySelector("#notices"));
  if (recall("token")) menu.querySelector(".tools").append(button("Forget my token", forgetToken));
}

function forgetToken() {
  remember("token", null);
  location.reload();
}

function offerCopy(button, entries) {
  const words = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(entries().filter(({line}) => !line.matches(".quiet")).map(asText).join("\n"));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 2000);
  });
  button.disabled = false;
}

function asText({line, item}) {
  if (!item) return `— ${line.textContent}`;
  return `[${exactly(item.message)}] ${nickOf(item.message) || "unknown"}: ${plain(item.message)}`;
}

function offerNotices(button) {
  const show = () => (button.hidden = globalThis.Notification?.permission !== "default");
  show();
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    show();
  });
}
