// What somebody wrote, as text nodes, links and code. Nothing that is posted becomes markup.

import {element} from "./dom.js";

// Chinese and Japanese have no space between an address and the sign that follows.
const PARTS = /```(?:[a-z+#-]*\n)?([\s\S]+?)\n?```|`([^`\n]+)`|(https?:\/\/[^\s<>"`。，、！？；：…”]+)/gi;

// Of a message, with its links, code and mentions. A message may have thousands, which would stop the page for seconds.
const MAX_NODES = 400;

// What ends a sentence, and may stand within an address.
const TRAILING = /(?![/#%&@*\\_-])\p{P}/u;

/**
 * @param {string} words
 * @param {string} me the reader's nick, which stands out
 * @returns {(Node | string)[]}
 */
export function rich(words, me) {
  const nodes = [];
  let at = 0;
  for (const found of words.matchAll(PARTS)) {
    if (nodes.length > MAX_NODES) break;
    const [whole, block, code, address] = found;
    const link = address && linkIn(address);
    if (address && !link) continue;
    nodes.push(...named(words.slice(at, found.index), me, MAX_NODES - nodes.length));
    if (link) nodes.push(anchor(link));
    else nodes.push(element("code", block === undefined ? "" : "block", block ?? code));
    at = found.index + (link ? link.length : whole.length);
  }
  nodes.push(...named(words.slice(at), me, MAX_NODES - nodes.length));
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

/** The words, with the nick marked as long as there are fewer nodes than most. */
function named(words, nick, most) {
  const nodes = [];
  for (let found; nick && nodes.length < most && (found = pattern(nick).exec(words)); ) {
    nodes.push(words.slice(0, found.index), element("mark", "", found[0]));
    words = words.slice(found.index + found[0].length);
  }
  return words ? [...nodes, words] : nodes;
}

/**
 * The address at the beginning of a text, "" if there is none. What ends a sentence does not belong to it, nor a
 * bracket that was opened before it.
 */
function linkIn(text) {
  let open = 0;
  let at = 0;
  let end = 0;
  for (const letter of text) {
    const closes = /\p{Pe}/u.test(letter);
    if (closes && !open--) break;
    if (/\p{Ps}/u.test(letter)) open++;
    at += letter.length;
    if (closes || !TRAILING.test(letter)) end = at;
  }
  return end > "https://".length ? text.slice(0, end) : "";
}

function anchor(address) {
  const link = element("a", "", address);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}
