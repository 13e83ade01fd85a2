// Follows a channel: keeps the cursor, and asks the server for what came after it.
//
// A follower asks until it is up to date. Then, if it leads the browser's tabs, it holds the one long
// poll and shares each answer with them; if not, it listens. A shared answer says which cursor it
// starts from: where that is not the follower's own, something is missing, and it asks by itself. So it
// does not matter what a tab did not hear.

import {poll} from "./api.js";
import {Alarm, backoff} from "./wait.js";

const HISTORY = "-50";
// A poll older than this may have died while the computer slept.
const STALE = 30_000;
// A poll that lasted this long was a healthy one, whatever ended it.
const HEALTHY = 5_000;

export class Follower {
  #channel;
  #clientID;
  #onAnswer;
  #onState;
  #share = () => {};

  #cursor = null;
  #leading = false;
  #paused = false;
  #upToDate = false;
  #failures = 0;
  #hasty = 0;
  /** Cursor of the last shared answer that came while asking. */
  #heard = null;
  /** The request under way. */
  #asking = null;
  #askedAt = 0;
  #alarm = new Alarm();

  /**
   * @param {string} channel
   * @param {string} clientID
   * @param {(answer: object, first: boolean) => void} onAnswer called once for each message and gap, in order
   * @param {(state: {name: string, reason?: string, until?: number}) => void} onState
   */
  constructor(channel, clientID, onAnswer, onState) {
    this.#channel = channel;
    this.#clientID = clientID;
    this.#onAnswer = onAnswer;
    this.#onState = onState;
  }

  async run(share) {
    this.#share = share;
    for (;;) {
      if (this.#paused || (this.#upToDate && !this.#leading)) await this.#alarm.sleep();
      else await this.#ask();
    }
  }

  lead() {
    this.#leading = true;
    // Shared, the answer also tells tabs that missed the last leader's last words that they are behind.
    if (!this.#asking) this.check();
  }

  yield() {
    this.#leading = false;
    this.#asking?.abort();
  }

  /** Asks for nothing until resume: a page that is put to sleep may not. */
  pause() {
    this.#paused = true;
    this.#asking?.abort();
  }

  resume() {
    this.#paused = false;
    this.check();
  }

  /** Takes what another tab shared. */
  hear(said) {
    if (said.kind === "state") this.#onState(said.state);
    if (said.kind === "reached") this.#retry();
    if (said.kind !== "answer") return;
    if (this.#asking) {
      this.#heard = said.answer.cursor;
    } else if (said.from === this.#cursor) {
      this.#take(said.answer);
      this.#upToDate = true;
    } else if (said.answer.cursor !== this.#cursor) {
      this.check();
    }
  }

  /** The server was seen alive: whichever tab waits to try again need not. */
  reached() {
    this.#share({kind: "reached"});
    this.#retry();
  }

  /** Asks now, since the connection may have died or changed. */
  check() {
    this.#upToDate = false;
    this.#asking?.abort();
    this.#alarm.wake();
  }

  /** Asks if there is reason to think that something was missed while nobody looked. */
  glance() {
    if (this.#leading && this.#asking && Date.now() - this.#askedAt < STALE) return;
    this.check();
  }

  #retry() {
    if (!this.#asking && !this.#upToDate) this.#alarm.wake();
  }

  async #ask() {
    const long = this.#upToDate;
    const from = this.#cursor;
    this.#heard = null;
    this.#asking = new AbortController();
    this.#askedAt = Date.now();
    let answer;
    try {
      answer = await poll(this.#channel, from ?? HISTORY, {
        clientID: this.#clientID,
        atOnce: !long,
        signal: this.#asking.signal,
      });
    } catch (error) {
      const cancelled = this.#asking.signal.aborted;
      this.#asking = null;
      // An answer at once tells soonest whether the server is there.
      this.#upToDate = false;
      if (!cancelled) await this.#failed(error, long);
      return;
    }
    this.#asking = null;
    await this.#answered(from, answer, long);
  }

  async #answered(from, answer, long) {
    const lasted = Date.now() - this.#askedAt;
    const empty = answer.messages.length === 0;
    this.#take(answer);
    this.#upToDate = (!answer.more || empty) && (this.#heard === null || this.#heard === answer.cursor);
    const failedBefore = this.#failures > 0;
    if (long || !this.#leading) this.#failures = 0;
    this.#tell({name: "connected"});
    if (this.#leading) this.#share({kind: "answer", from, answer});
    else if (failedBefore) this.reached();

    // A server that drains, or that has too many polls of this browser, answers at once with nothing.
    const hasty = long && empty && !answer.gap && lasted < 1_000;
    this.#hasty = hasty ? this.#hasty + 1 : 0;
    if (hasty) await this.#alarm.sleep(backoff(this.#hasty));
  }

  async #failed(error, long) {
    const lasted = Date.now() - this.#askedAt;
    if (long && lasted >= HEALTHY) this.#failures = 0;
    if (long && error.timedOut) return;
    // A cursor that the server cannot read, as after an upgrade: begin again rather than never.
    if (error.status === 400) this.#cursor = null;
    const wait = backoff(this.#failures++, error.retryAfter);
    const name = navigator.onLine ? "reconnecting" : "offline";
    const reason = error.status ? error.message : undefined;
    this.#tell({name, reason, until: Date.now() + wait});
    await this.#alarm.sleep(wait);
  }

  #take(answer) {
    const first = this.#cursor === null;
    this.#cursor = answer.cursor;
    this.#onAnswer(answer, first);
  }

  #tell(state) {
    this.#onState(state);
    if (this.#leading) this.#share({kind: "state", state});
  }
}
