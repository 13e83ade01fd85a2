// What the browser remembers between visits, for all tabs. Where it may not, the page works without.

const PREFIX = "pubsub.";

export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Remembers a text, or forgets it if value is null. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is off or full.
  }
}

/** The names that begin with a text, sorted. */
export function recallNames(start) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX + start)).map((name) => name.slice(PREFIX.length)).sort();
  } catch {
    return [];
  }
}

/** What was remembered as JSON, null if nothing was. */
export function recallJSON(name) {
  try {
    return JSON.parse(recall(name) ?? "null");
  } catch {
    return null;
  }
}

/** Calls back whenever another tab remembers something. @param {(name: string) => void} changed */
export function onRemembered(changed) {
  addEventListener("storage", ({key}) => key?.startsWith(PREFIX) && changed(key.slice(PREFIX.length)));
}
