// Drives the client for JavaScript: drive.mjs WORD URL WAY SINCE CHANNEL…
//
// The word follow prints a message a line as JSON, and {"gap": …} for a gap, as pubsub tail -json does. publish
// posts each line of standard input.

import {createInterface} from "node:readline";
import {connect} from "../js/pubsub.js";

const [word, url, way, since, ...channels] = process.argv.slice(2);
const server = connect({base: url, way: way === "auto" ? undefined : way, presence: process.env.PRESENCE});
const show = (line) => console.log(JSON.stringify(line));

if (word === "follow") {
  for (const channel of channels) {
    server.follow(channel, {
      since,
      onMessage: (message, cursor) => show({...message, cursor}),
      onGap: (gap) => show({gap: {...gap, channel}}),
      onStatus: (status) => console.error(channel, new Date().toISOString(), status),
    });
  }
} else {
  for await (const message of createInterface({input: process.stdin})) await server.publish(channels[0], {message});
}
