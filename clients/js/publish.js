// Publishes a message, again and again under one key, until the server has said what became of it.

import {PubSubError, ask, somethingElse} from "./request.js";
import {backoff} from "./wait.js";

/**
 * What the server says of a message that is published. It tells no cursor where the message has no text.
 * @typedef {{id: number, cursor?: string}} Receipt
 *
 * @typedef {object} PublishOptions
 * @property {string} [key] of your own, to repeat it after the page was closed; otherwise one is made
 * @property {AbortSignal} [signal] ends the tries
 * @property {(status: {name: "sending" | "waiting", reason?: string, until?: number}) => void} [onStatus]
 */

/**
 * @param {import("./site.js").Site} site
 * @param {string} room
 * @param {object} message
 * @param {PublishOptions & {key: string}} options
 * @param {import("./wait.js").Alarm} alarm wakes it while it waits
 * @returns {Promise<Receipt>}
 */
export async function publish(site, room, message, {key, signal, onStatus}, alarm) {
  const wake = () => alarm.wake();
  signal?.addEventListener("abort", wake);
  try {
    return await repeat(site, room, message, {key, signal, onStatus}, alarm);
  } finally {
    signal?.removeEventListener("abort", wake);
  }
}

/**
 * @param {import("./site.js").Site} site
 * @param {string} room
 * @param {object} message
 * @param {PublishOptions & {key: string}} options
 * @param {import("./wait.js").Alarm} alarm
 */
async function repeat(site, room, message, {key, signal, onStatus}, alarm) {
  for (let failures = 0; ; failures++) {
    signal?.throwIfAborted();
    onStatus?.({name: "sending"});
    try {
      return await post(site, room, message, key, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PubSubError) || !error.temporary) throw error;
      const wait = backoff(failures, error.retryAfter);
      onStatus?.({name: "waiting", reason: error.message, until: Date.now() + wait});
      await alarm.sleep(wait);
    }
  }
}

/**
 * @param {import("./site.js").Site} site
 * @param {string} room
 * @param {any} message
 * @param {string} key
 * @param {AbortSignal} [signal]
 */
async function post(site, room, message, key, signal) {
  const isText = typeof message.message === "string";
  const answer = await ask(site, `/${isText ? "pub" : "api/publish"}/${encodeURIComponent(room)}`, {
    method: "POST",
    headers: {"Content-Type": "application/json", "Idempotency-Key": key},
    body: JSON.stringify(message),
    signal,
  });
  const id = answer?.id ?? answer?.message_id;
  if (typeof id !== "number") throw somethingElse();
  return {id, cursor: answer.cursor};
}
