// Where a message stands. A cursor is "epoch.tag-number", "epoch-number", or such a place "+count" behind it. The
// epoch is another one after the server has lost its messages, and then ids begin anew.

export const epochOf = (cursor) => cursor.split(/[.\-+]/)[0];

/** How many messages there have been in a room at a cursor. */
export const numberOf = (cursor) => Number(/-(\d+)/.exec(cursor)?.[1] ?? 0);

/** A name for a message that no other one of its room has. */
export const identity = (id, cursor) => `${epochOf(cursor)} ${id}`;

/** The place before a message. Its own cursor is behind it, and may count from the start of all that came with it. */
export const placeBefore = ({message, cursor}) => `${epochOf(cursor)}-${message.id - 1}`;
