// Reads a room, and hands on together what comes together.

const HISTORY = "-50";

/**
 * @param {import("./js/pubsub.js").Server} server
 * @param {string} room
 * @param {{onItems: (items: {message?: object, gap?: object}[], first: boolean) => void, onOpen: () => void,
 *   onStatus: (status: object) => void}} events first: they were there before the page; onOpen comes once, behind them
 */
export function read(server, room, {onItems, onOpen, onStatus}) {
  let items = [];
  let first = true;
  const hand = () => {
    if (items.length) onItems(items, first);
    items = [];
  };
  const add = (item) => {
    if (items.push(item) === 1) queueMicrotask(hand);
  };
  server.follow(room, {
    since: HISTORY,
    onMessage: (message) => add({message}),
    onGap: (gap) => add({gap}),
    onStatus(status) {
      hand();
      if (first && status.name === "open") onOpen();
      first &&= status.name !== "open";
      onStatus(status);
    },
  });
}
