// Asks for a token in a dialog.

import {button, element} from "./dom.js";

let declined = false;

/**
 * @param {string} refused what the server does not take, "" if it had none
 * @returns {Promise<string>} the same if the person has no other. They are asked once, and again when they do something
 *   that needs it.
 */
export async function ask(refused) {
  if (declined && !navigator.userActivation?.isActive) return refused;
  const dialog = made(refused);
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve));
  dialog.remove();
  declined = !dialog.returnValue;
  return dialog.returnValue || refused;
}

function made(refused) {
  const dialog = element("dialog", "token");
  const form = element("form");
  form.method = "dialog";
  const heading = element("h2", "", refused ? "Your token does not count any more" : "This server wants a token");
  heading.id = "token-heading";
  dialog.setAttribute("aria-labelledby", heading.id);
  const label = element("label", "", "Paste the one that you were given. It stays in this browser.");
  const field = element("textarea");
  Object.assign(field, {rows: 4, required: true, spellcheck: false, autocomplete: "off", autocapitalize: "none"});
  label.append(field);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close(field.value.trim().replace(/^Bearer\s+/i, ""));
  });
  const buttons = element("p", "tools");
  buttons.append(element("button", "small", "Use it"), " ", button("Not now", () => dialog.close("")));
  form.append(heading, label, buttons);
  dialog.append(styles(), form);
  return dialog;
}

function styles() {
  const link = element("link");
  link.rel = "stylesheet";
  link.href = new URL("./token.css", import.meta.url);
  return link;
}
