// What the browser remembers between visits, for all tabs.

const PREFIX = "pubsub.";

/** What the storage does not take, as it is off or full: until the page closes. */
const unstored = new Map();

export function recall(name) {
  if (unstored.has(name)) return unstored.get(name);
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Remembers a text, or forgets it if value is null. */
export function remember(name, value) {
  unstored.delete(name);
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    if (value !== null) unstored.set(name, value);
  }
}

/** The names that begin with a text, sorted. */
export function recallNames(start) {
  const names = [...unstored.keys(), ...stored()].filter((name) => name.startsWith(start));
  return [...new Set(names)].sort();
}

function stored() {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
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
