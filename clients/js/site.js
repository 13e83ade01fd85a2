// A server, and the token with which it is asked.

/**
 * A token, or a function that returns one, "" for none. The function is called at first, and when the server refuses
 * what it has returned before, which it is given then.
 * @typedef {string | ((refused?: string) => string | Promise<string>)} Token
 */

// For so long a name that was refused is left out.
const LEFT_OUT = 60_000;

export class Site {
  /** @type {string} */
  #token = "";
  #renew;
  #refusedAt = -Infinity;
  /** @type {Promise<string> | null} a renewal under way, for which all requests wait */
  #renewing = null;

  /**
   * @param {string} base
   * @param {Token} [token]
   * @param {string} [presence] the name under which whoever reads is present
   */
  constructor(base, token, presence) {
    this.base = base;
    this.presence = presence ?? "";
    if (typeof token === "function") this.#renew = token;
    else this.#token = token ?? "";
  }

  /** The name that requests have, "" if there is none, or it was refused a while ago. */
  get nameToAsk() {
    return Date.now() - this.#refusedAt < LEFT_OUT ? "" : this.presence;
  }

  /**
   * Leaves the name out for a while, if an error is about it.
   *
   * @param {unknown} error
   * @returns {boolean} whether asking again can help
   */
  leavesOut(error) {
    if (/** @type {any} */ (error).field !== "presence" || !this.nameToAsk) return false;
    this.#refusedAt = Date.now();
    return true;
  }

  /** The token to send, "" if there is none. */
  async token() {
    return this.#token || (this.#renew ? this.#renewed() : "");
  }

  /**
   * Gets another token in place of one that was refused, unless somebody else just has.
   *
   * @param {string} refused
   * @returns {Promise<boolean>} false if there is no other
   */
  async renew(refused) {
    if (!this.#renew) return false;
    if (this.#token === refused) await this.#renewed(refused);
    return this.#token !== refused;
  }

  /** @param {string} [refused] */
  #renewed(refused) {
    this.#renewing ??= (async () => {
      try {
        return (this.#token = await /** @type {(refused?: string) => string | Promise<string>} */ (this.#renew)(refused));
      } finally {
        this.#renewing = null;
      }
    })();
    return this.#renewing;
  }
}
