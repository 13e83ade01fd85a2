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
