// What the browser remembers between visits. Where it may not, the page works without.

export function recall(name) {
  try {
    return localStorage.getItem(`pubsub.${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`pubsub.${name}`, value);
  } catch {
    // Storage is off or full.
  }
}

/** 128 random bits. crypto.randomUUID does not exist on plain http. */
export function randomID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The same for all tabs of this browser: the server limits polls by it. */
export function clientID() {
  const id = recall("client") ?? randomID();
  remember("client", id);
  return id;
}
