// A stream of events reads the same wherever its bytes are parted.

import assert from "node:assert";
import {test} from "node:test";
import {EventParser} from "../js/sse.js";

const STREAM = "retry: 20\n\nid: a\n\n:\n\nid: b\r\ndata: 1\r\ndata: 2\r\n\r\nevent: gap\rid:c\rdata:{}\r\r: x\nevent: end\ndata\n\n";
const EVENTS = [
  {type: "message", data: ""},
  {type: "message", id: "a", data: ""},
  {type: "message", data: ""},
  {type: "message", id: "b", data: "1\n2"},
  {type: "gap", id: "c", data: "{}"},
  {type: "end", data: ""},
];

test("any two cuts", () => {
  for (let i = 0; i <= STREAM.length; i++) {
    for (let j = i; j <= STREAM.length; j++) {
      const parser = new EventParser();
      const parts = [STREAM.slice(0, i), STREAM.slice(i, j), STREAM.slice(j)];
      assert.deepEqual(parts.flatMap((part) => parser.push(part)), EVENTS, `cut at ${i} and ${j}`);
      assert.equal(parser.retry, 20);
    }
  }
});
