// Which messages were sent from this browser: those whose ids posting returned. A nick tells nothing, as two people
// can have the same.

import {recallJSON, remember} from "./memory.js";

const MAX = 1000;

const name = (room) => `mine/${room}`;

/** The identities of a room's messages. */
export const mineOf = (room) => new Set(recallJSON(name(room)) ?? []);

export function addMine(room, identity) {
  remember(name(room), JSON.stringify([...mineOf(room), identity].slice(-MAX)));
}

/** Whether something remembered under this name is a room's. */
export const isMineOf = (room, remembered) => remembered === name(room);
