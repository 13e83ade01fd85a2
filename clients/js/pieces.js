// A piece is what one room has between two places. It says where it begins, so whoever is there can take it,
// and whoever is elsewhere knows that something is missing.

/**
 * cursors has the place behind each message. A gap comes before the messages.
 *
 * @typedef {import("./request.js").Message} Message
 * @typedef {{room: string, from: string, to: string, messages: Message[], cursors: string[], gap?: import("./request.js").Gap}} Piece
 */

/**
 * Takes the answer to a poll apart.
 *
 * @param {string[]} rooms in the order of the request
 * @param {string[]} places where each began
 * @param {import("./request.js").Page} page
 * @returns {Piece[]}
 */
export function piecesOf(rooms, places, page) {
  const starts = page.start.split(",");
  const ends = page.cursor.split(",");
  return rooms.map((room, i) => {
    const messages = rooms.length === 1 ? page.messages : page.messages.filter((message) => message.channel === room);
    const gap = page.gap && (page.gap.channel ?? room) === room ? page.gap : undefined;
    return {room, from: places[i], to: ends[i], messages, cursors: between(starts[i], ends[i], messages.length), gap};
  });
}

/**
 * The places behind some messages. The server tells only the last of them; the others are so many messages
 * past the start, which a Room understands.
 *
 * @param {string} start
 * @param {string} end
 * @param {number} count
 */
function between(start, end, count) {
  return Array.from({length: count}, (_, i) => (i + 1 === count ? end : `${start}+${i + 1}`));
}

/**
 * Adds a piece to others, joined with the last one if it goes on from there.
 *
 * @param {Piece[]} pieces
 * @param {Piece} piece
 */
export function join(pieces, piece) {
  const last = pieces.at(-1);
  if (!last || last.room !== piece.room || last.to !== piece.from || piece.gap) {
    pieces.push(piece);
    return;
  }
  last.messages.push(...piece.messages);
  last.cursors.push(...piece.cursors);
  last.to = piece.to;
}

/**
 * How many messages of a piece somebody has who is at a place and had a message last. It is -1 if that cannot
 * be told: then something may be missing.
 *
 * @param {Piece} piece
 * @param {string | null} place
 * @param {Message | null} last
 */
export function had({from, to, messages, gap}, place, last) {
  if (to === place) return messages.length;
  if (from === place) return 0;
  if (gap || !last) return -1;
  const same = messages.findLastIndex((message) => message.id === last.id && message.timestamp === last.timestamp);
  if (same >= 0) return same + 1;
  const newest = messages.at(-1);
  return newest && newest.id < last.id && newest.timestamp < last.timestamp ? messages.length : -1;
}
