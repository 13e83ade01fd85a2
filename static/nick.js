// The nick: kept as typed, the same in all tabs.

import {onRemembered, recall, remember} from "./memory.js";

/**
 * @param {HTMLInputElement} field
 * @returns {{value: string}} value is the nick as it was typed, "" if there is none
 */
export function keepNick(field) {
  const take = () => (field.value = recall("nick") ?? "");
  take();
  field.addEventListener("input", () => remember("nick", field.value));
  onRemembered((name) => name === "nick" && take());
  return {
    get value() {
      // A tab that did not hear of the nick must not speak without one.
      if (field.value === "") take();
      return field.value.trim() === "" ? "" : field.value;
    },
  };
}
