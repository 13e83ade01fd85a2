// Makes a line of the conversation: a message, or a note between messages.

import {button, element} from "./dom.js";
import {rich} from "./text.js";

const KNOWN = new Set(["id", "timestamp", "channel", "nick"]);
// Longer texts are folded.
const MAX_ROWS = 30;
const MAX_LENGTH = 3000;

const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});
const calendar = new Intl.DateTimeFormat(undefined, {weekday: "long", day: "numeric", month: "long"});
const exact = new Intl.DateTimeFormat(undefined, {dateStyle: "full", timeStyle: "medium"});

// Making elements anew for each line takes longer than a copy.
const blank = element("div", "line");
blank.append(element("span", "avatar"), element("bdi", "nick"), element("p", "text"), element("time"));
blank.firstChild.setAttribute("aria-hidden", "true");
blank.children[2].dir = "auto"; // Arabic and Hebrew run their own way

/**
 * @param {object} message
 * @param {{mine: boolean, follows: boolean, me: string}} how follows: the line before is the same person's; me: the
 *   reader's nick
 */
export function messageLine(message, {mine, follows, me}) {
  const nick = nickOf(message);
  const line = blank.cloneNode(true);
  const [avatar, name, text, time] = line.children;
  const {hue, letter} = look(nick);
  line.style.setProperty("--hue", hue);
  avatar.textContent = letter;
  name.textContent = nick || "unknown";
  if (!nick) name.classList.add("unknown");
  fill(text, message, mine ? "" : me);
  time.dateTime = new Date(message.timestamp * 1000).toISOString();
  time.textContent = clockOf(message);
  if (mine) line.classList.add("mine");
  if (follows) line.classList.add("follows");
  if (text.querySelector("mark")) line.classList.add("mention");
  if (isLong(text.textContent)) fold(line, text);
  return line;
}

/** When a message was said, to the second. */
export const exactly = (message) => exact.format(message.timestamp * 1000);

/** @param {string} text @param {string} kind */
export function note(text, kind) {
  const made = element("p", `note ${kind}`);
  made.append(element("span", "", text));
  return made;
}

export const dayNote = (when) => note(calendar.format(when), "day");

/** What a gap means to a reader. */
export function gapNote({reason, missed}) {
  const lost = missed === 1 ? "1 message was missed" : `${missed} messages were missed`;
  if (reason === "restarted") {
    return note(missed ? `The server was restarted: ${lost}` : "The server was restarted: messages may be missing here", "gap");
  }
  return note(missed ? lost : "Messages may be missing here", "gap");
}

export const nickOf = (message) => asText(message.nick);

/** A message as one line of plain text, for copying. */
export const plain = (message) => textOf(message).text;

/** Other programs post any JSON, so that a message is not always text, or not there. */
function textOf(message) {
  if (message.message !== undefined) return {text: asText(message.message), written: typeof message.message === "string"};
  const rest = Object.entries(message).filter(([name]) => !KNOWN.has(name));
  return {text: asText(Object.fromEntries(rest)), written: false};
}

function fill(made, message, me) {
  const {text, written} = textOf(message);
  if (!written) made.classList.add("data");
  made.append(...(written ? rich(text, me) : [text]));
}

const isLong = (text) => text.length > MAX_LENGTH || text.split("\n", MAX_ROWS + 1).length > MAX_ROWS;

function fold(line, text) {
  const rows = text.textContent.split("\n").length;
  text.classList.add("folded");
  const more = button(rows > 1 ? `Show all ${rows} lines` : "Show all", () => {
    const folded = text.classList.toggle("folded");
    more.setAttribute("aria-expanded", String(!folded));
    more.textContent = folded ? "Show all" : "Show less";
  });
  more.classList.add("unfold");
  more.setAttribute("aria-expanded", "false");
  line.append(more);
}

let minute = {};

/** The hour and minute, which is mostly that of the message before: formatting is slow. */
function clockOf({timestamp}) {
  const at = Math.floor(timestamp / 60);
  if (minute.at !== at) minute = {at, text: clock.format(timestamp * 1000)};
  return minute.text;
}

const looks = new Map();

/** The colour and the letter of a nick. */
export function look(nick) {
  if (looks.size > 1000) looks.clear();
  if (!looks.has(nick)) looks.set(nick, {hue: hue(nick), letter: nick ? firstLetter(nick) : "?"});
  return looks.get(nick);
}

/**
 * A colour for a nick in degrees, the same on every screen. Nicks that differ by a number only, as guest1 and guest2
 * do, are a golden angle apart, so that they never look alike.
 */
function hue(nick) {
  const [, name, number] = /^(.*?)(\d{0,6})$/s.exec(nick);
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b); // its low bits alone are alike for names that are
  return Math.round((((hash ^ (hash >>> 13)) >>> 0) % 360) + Number(number) * 137.508) % 360;
}

function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The first letter as a reader counts, which may be several code points. */
function firstLetter(text) {
  if (!Intl.Segmenter) return Array.from(text)[0].toUpperCase();
  const [{segment}] = new Intl.Segmenter().segment(text);
  return segment.toUpperCase();
}
