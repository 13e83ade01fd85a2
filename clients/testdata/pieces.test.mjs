// What a tab that hears a piece has of it already.

import assert from "node:assert";
import {test} from "node:test";
import {had} from "../js/pieces.js";

const message = (id) => ({id, timestamp: id, channel: "room"});
const piece = {room: "room", from: "e-2", to: "e-5", messages: [message(3), message(4), message(5)], cursors: []};

test("where the reader is", () => {
  assert.equal(had(piece, "e-2", message(2)), 0, "it begins there");
  assert.equal(had(piece, "e-5", message(5)), 3, "it ends there");
  assert.equal(had(piece, "e-4", message(4)), 2, "in the midst of it");
  assert.equal(had(piece, "e-9", message(9)), 3, "it is behind");
  assert.equal(had(piece, "e-1", message(1)), -1, "something is between");
  assert.equal(had(piece, "e-1", null), -1, "nothing is known");
  assert.equal(had({...piece, gap: {reason: "restarted"}}, "d-4", message(4)), -1, "these may be other messages");
  assert.equal(had(piece, "d-4", {...message(4), timestamp: 1}), -1, "another message had this id");
});
