// Names as a part of a sentence.

import {element} from "./dom.js";

const MAX = 3;

/**
 * ann · ann and bob · ann, bob and eve · ann, bob and 4 others
 *
 * @param {string[]} names
 * @returns {(Node | string)[]} with each name on its own, as it may run from right to left
 */
export function sentence(names) {
  const shown = names.length > MAX ? names.slice(0, MAX - 1) : names;
  const parts = shown.map((name) => element("bdi", "", name));
  if (shown.length < names.length) parts.push(`${names.length - shown.length} others`);
  return parts.flatMap((part, i) => (i === 0 ? [part] : [i + 1 < parts.length ? ", " : " and ", part]));
}
