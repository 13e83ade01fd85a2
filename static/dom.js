/** An element with text in it, never markup. */
export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** A button that does something. */
export function button(words, act, className = "small") {
  const made = element("button", className, words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/**
 * Whether a key belongs to an input method, with which one composes a word. Safari says so after the composition has
 * ended, by the code 229 alone.
 * @param {KeyboardEvent} event
 */
export const composes = (event) => event.isComposing || event.keyCode === 229;

/** Loads a stylesheet of this folder. Waits until it is there, or cannot be had: else what it is for is seen without it. */
export function stylesheet(name) {
  const link = element("link");
  link.rel = "stylesheet";
  link.href = new URL(name, import.meta.url).href;
  return new Promise((resolve) => {
    link.onload = resolve;
    link.onerror = resolve;
    document.head.append(link);
  });
}
