// Reads a room, and hands on together what comes together.

const HISTORY = "-50";

/**
 * @param {import("./js/pubsub.js").Server} server
 * @param {string} room
 * @param {{onItems: (items: import("./conversation.js").Item[], first: boolean) => void, onOpen: () => void,
 *   onStatus: (status: object) => void}} events first: they were there before the page; onOpen comes once, behind them
 * @returns {() => void} ends it
 */
export function read(server, room, {onItems, onOpen, onStatus}) {
  let items = [];
  let first = true;
  const hand = () => {
    if (items.length) onItems(items, first);
    items = [];
  };
  const add = (item) => {
    if (items.push(item) === 1) soon(hand);
  };
  return server.follow(room, {
    since: HISTORY,
    onMessage: (message, cursor) => add({message, cursor}),
    onGap: (gap) => add({gap}),
    onStatus(status) {
      hand();
      if (first && status.name === "open") onOpen();
      first &&= status.name !== "open";
      onStatus(status);
    },
  });
}

/** Once before the page is drawn again, so that a flood costs one drawing. A hidden page is not drawn. */
function soon(act) {
  if (document.hidden) return queueMicrotask(act);
  requestAnimationFrame(act);
  document.addEventListener("visibilitychange", act, {once: true});
}
