// Sends what is written, again and again under one key, until the server has said what became of it.

import {publish} from "./api.js";
import {Alarm, backoff} from "./wait.js";
import {randomID} from "./memory.js";

export class Sender {
  #channel;
  #onState;
  #alarm = new Alarm();

  /**
   * @param {string} channel
   * @param {(state: {name: string, reason?: string, until?: number}) => void} onState
   */
  constructor(channel, onState) {
    this.#channel = channel;
    this.#onState = onState;
  }

  /** Resolves to true once the message is published, to false if the server refuses it. */
  async send(nick, message) {
    const key = randomID();
    for (let failures = 0; ; failures++) {
      this.#onState({name: failures ? "resending" : "sending"});
      try {
        await publish(this.#channel, {nick, message, key});
        this.#onState({name: "sent"});
        return true;
      } catch (error) {
        if (!error.temporary) {
          this.#onState({name: "refused", reason: error.message});
          return false;
        }
        const wait = backoff(failures, error.retryAfter);
        this.#onState({name: "waiting", reason: error.message, until: Date.now() + wait});
        await this.#alarm.sleep(wait);
      }
    }
  }

  /** Tries now, if it waits to try again. */
  retry() {
    this.#alarm.wake();
  }
}
