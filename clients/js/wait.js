// How long to wait: for a sign of life, before trying again, and a wait that can be cut short.

const FIRST = 500;
const CAP = 30_000;

// Streams have a heartbeat every 20 s. Browsers do not show that of a WebSocket, so a silent one is opened anew.
export const SILENCE = 60_000;

/**
 * Milliseconds to wait after that many failures in a row. Anything up to the bound, also at the cap: those
 * who were cut off together must not come back together.
 *
 * @param {number} failures
 * @param {number} [atLeast] what the server asks for
 */
export function backoff(failures, atLeast = 0) {
  const bound = Math.min(CAP, FIRST * 2 ** failures);
  return atLeast + Math.max(100, Math.random() * bound);
}

/** One sleeper that others can wake. */
export class Alarm {
  #ring = () => {};

  /**
   * Resolves after the milliseconds, or when woken; without a time only when woken.
   *
   * @param {number} [milliseconds]
   * @returns {Promise<void>}
   */
  sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  wake() {
    this.#ring();
  }
}
