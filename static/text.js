// What somebody wrote, as text nodes, links and code. Nothing that is posted becomes markup.

import {element} from "./dom.js";

const PARTS = /```(?:[a-z+#-]*\n)?([\s\S]+?)\n?```|`([^`\n]+)`|(https?:\/\/[^\s<>"`]+)/g;

/**
 * @param {string} words
 * @param {string} me the reader's nick, which stands out
 * @returns {(Node | string)[]}
 */
export function rich(words, me) {
  const nodes = [];
  let at = 0;
  for (const found of words.matchAll(PARTS)) {
    const [whole, block, code, address] = found;
    const link = address && trimmed(address);
    nodes.push(...named(words.slice(at, found.index), me));
    if (link) nodes.push(anchor(link));
    else nodes.push(element("code", block === undefined ? "" : "block", block ?? code));
    at = found.index + (link ? link.length : whole.length);
  }
  nodes.push(...named(words.slice(at), me));
  return nodes;
}

/** Whether a text names a nick as a word. */
export const names = (words, nick) => nick !== "" && pattern(nick).test(words);

const patterns = new Map();

function pattern(nick) {
  if (patterns.size > 100) patterns.clear();
  if (!patterns.has(nick)) {
    const escaped = nick.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    patterns.set(nick, new RegExp(`(?<![\\p{L}\\p{N}_])@?${escaped}(?![\\p{L}\\p{N}_])`, "iu"));
  }
  return patterns.get(nick);
}

function named(words, nick) {
  const nodes = [];
  for (let found; nick && (found = pattern(nick).exec(words)); ) {
    nodes.push(words.slice(0, found.index), element("mark", "", found[0]));
    words = words.slice(found.index + found[0].length);
  }
  return words ? [...nodes, words] : nodes;
}

/** What ends a sentence does not belong to an address, nor a bracket that was opened before it. */
function trimmed(address) {
  const end = address.includes("(") ? /[.,;:!?'"]+$/ : /[.,;:!?'")\]}]+$/;
  return address.replace(end, "");
}

function anchor(address) {
  const link = element("a", "", address);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}
