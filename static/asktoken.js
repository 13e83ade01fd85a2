// Asks for a token in a dialog.

import {button, element, stylesheet} from "./dom.js";

await stylesheet("token.css");

let declined = false;

/**
 * @param {string} refused what the server does not take, "" if it had none
 * @returns {Promise<string>} the same if the person has no other. They are asked once, and again when they do something
 *   that needs it.
 */
export async function ask(refused) {
  if (declined && !navigator.userActivation?.isActive) return refused;
  const given = await answerOf(made(refused));
  declined = !given;
  return given || refused;
}

/** What a dialog is closed with. */
async function answerOf(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve));
  dialog.remove();
  return dialog.returnValue;
}

function made(refused) {
  const label = element("label", "", "Paste the one that you were given. It stays in this browser.");
  const field = element("textarea");
  Object.assign(field, {rows: 4, required: true, spellcheck: false, autocomplete: "off", autocapitalize: "none"});
  label.append(field);
  const dialog = dialogOf(refused ? "Your token does not count any more" : "This server wants a token", label, "Use it", "Not now");
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close(field.value.trim().replace(/^Bearer\s+/i, ""));
  });
  return dialog;
}

/**
 * Asks whether a token in the address is to replace the one that this browser has.
 *
 * @param {string} [name] whom the new one is for
 * @returns {Promise<boolean>}
 */
export async function mayReplace(name) {
  const words = `The address that you have opened has a token${name ? ` for ${name}` : ""}. This browser has another one.`;
  return Boolean(await answerOf(dialogOf("Use another token?", element("p", "", words), "Use the new one", "Keep mine")));
}

/** Its returnValue is "" when the second button or Escape has closed it. */
function dialogOf(title, content, yes, no) {
  const dialog = element("dialog", "token");
  const form = element("form");
  form.method = "dialog";
  const heading = element("h2", "", title);
  heading.id = "token-heading";
  dialog.setAttribute("aria-labelledby", heading.id);
  const accept = element("button", "small", yes);
  accept.value = "yes";
  const buttons = element("p", "tools");
  buttons.append(accept, " ", button(no, () => dialog.close("")));
  form.append(heading, content, buttons);
  dialog.append(form);
  return dialog;
}
