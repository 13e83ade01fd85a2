// The token, where the server wants one: from the address, from an earlier visit, or asked for. It is loaded when there
// is one, or when the server refuses to go on without.

import {recall, remember} from "./memory.js";

/**
 * The token for the server, "" for none. When that refuses one, the person is asked for another.
 *
 * @param {string} [refused]
 * @returns {Promise<string>}
 */
export async function token(refused) {
  await takeFromAddress();
  let known = recall("token") ?? "";
  if (known === refused) {
    const {ask} = await import("./asktoken.js");
    known = await ask(refused);
    if (known) remember("token", known);
  }
  takeNick(known);
  return known;
}

let taking; // the token in the address

/** Out of the address, since that stays in the browser's history and is passed on. */
function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token")?.trim();
  if (given === undefined) return taking;
  history.replaceState(history.state, "", location.pathname + location.search);
  return (taking = take(given));
}

/** A link that somebody sends must not make who follows it somebody else. */
async function take(given) {
  const known = recall("token");
  if (known && known !== given && !(await import("./asktoken.js").then(({mayReplace}) => mayReplace(nameIn(given))))) return;
  remember("token", given);
}

/** Under a token that names somebody one posts as that. */
function takeNick(token) {
  const name = nameIn(token);
  if (!name) return;
  const field = document.getElementById("nick");
  field.value = name;
  field.readOnly = true;
  field.title = "Your token says so";
  remember("nick", name);
}

function nameIn(token) {
  try {
    const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0)))).sub;
  } catch {
    return ""; // the server will say what is wrong with it
  }
}
