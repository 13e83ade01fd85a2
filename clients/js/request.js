// Requests to the server, and what can become of them.

/**
 * A message: what was posted, and what the server says of it.
 * @typedef {{id: number, timestamp: number, channel: string, [field: string]: any}} Message
 */

/**
 * What is missing: missed is known if the reason is "expired".
 * @typedef {{reason: "expired" | "restarted" | "ahead", missed?: number, channel?: string}} Gap
 */

/**
 * The answer to a poll. Those of several channels have their cursors joined by commas.
 * @typedef {{messages: Message[], cursor: string, start: string, more: boolean, gap?: Gap}} Page
 */

const SHORT_LIMIT = 10_000;
// What a server says in Retry-After is believed up to this.
const MAX_AFTER = 300_000;

/** A request that brought no usable answer. */
export class PubSubError extends Error {
  /**
   * @param {string} reason for people; the server's own sentence where it gave one
   * @param {{status?: number, retryAfter?: number, otherWay?: boolean, field?: string, foreign?: boolean}} [details] of
   *   retryAfter in milliseconds; otherWay tells that another way to listen may help, field that asking without it may,
   *   foreign that not the server has answered
   */
  constructor(reason, {status = 0, retryAfter = 0, otherWay = false, field = "", foreign = false} = {}) {
    super(reason);
    this.name = "PubSubError";
    /** 0 if the server did not answer */
    this.status = status;
    /** in milliseconds */
    this.retryAfter = Math.min(retryAfter, MAX_AFTER);
    this.otherWay = otherWay;
    this.field = field;
    this.foreign = foreign;
  }

  /** Whether asking again, unchanged, can help. */
  get temporary() {
    return this.foreign || this.status < 400 || this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/**
 * Makes a request, and rejects with a PubSubError if it is not answered well. If the token is refused, it is made once
 * more with another one.
 *
 * @param {import("./site.js").Site} site
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} options
 * @returns {Promise<Response>}
 */
export async function request(site, path, options) {
  const token = await site.token();
  let response = await send(site.base + path, options, token);
  if (response.status === 401 && isOwn(response) && (await site.renew(token))) response = await send(site.base + path, options, await site.token());
  // The server sends one elsewhere only with the same path.
  const isElsewhere = response.redirected && !response.url.includes(path);
  if (response.ok && !isElsewhere) return response;
  const {status} = response;
  const after = retryAfter(response.headers.get("Retry-After"));
  const answer = isOwn(response) && !isElsewhere && (await response.json().catch(() => null));
  if (typeof answer?.error !== "string") throw somethingElse({status, retryAfter: after, otherWay: false});
  throw new PubSubError(answer.error, {status, retryAfter: after, field: answer.field});
}

/**
 * Whether the server itself refuses a request. A proxy answers for a server that is away with any status, but without
 * this header.
 *
 * @param {Response} response
 */
const isOwn = (response) => response.headers.has("Pubsub-Error");

/**
 * @param {string} url
 * @param {RequestInit & {headers?: Record<string, string>}} options
 * @param {string} token
 */
async function send(url, {headers, ...options}, token) {
  try {
    // With a cache, identical requests of two tabs wait for each other.
    return await fetch(url, {...options, headers: {...headers, ...(token && {Authorization: `Bearer ${token}`})}, cache: "no-store"});
  } catch {
    throw new PubSubError("The server cannot be reached.");
  }
}

/**
 * Makes a request for JSON, which must be answered within some milliseconds.
 *
 * @param {import("./site.js").Site} site
 * @param {string} path
 * @param {RequestInit & {limit?: number, headers?: Record<string, string>}} options
 * @returns {Promise<any>}
 */
export async function ask(site, path, {limit = SHORT_LIMIT, signal, ...options} = {}) {
  const stop = new AbortController();
  const abort = () => stop.abort();
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const timer = setTimeout(abort, limit);
  try {
    const response = await request(site, path, {...options, signal: stop.signal});
    return await response.json().catch(() => {
      throw stop.signal.aborted ? new PubSubError("The server does not answer.") : new PubSubError("The answer was cut off.");
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Asks for what some rooms have after some places.
 *
 * @param {{site: import("./site.js").Site, rooms: string[], places: string[], wait: boolean, signal?: AbortSignal, limit?: number}} what
 *   without wait the answer comes at once
 * @returns {Promise<Page>}
 */
export async function poll({site, rooms, places, wait, signal, limit}) {
  const page = await ask(site, address(site, rooms, places) + (wait ? "" : "&timeout=0"), {signal, limit});
  if (!isPage(page)) throw somethingElse();
  return page;
}

/** @param {any} page */
export const isPage = (page) => Array.isArray(page?.messages) && typeof page.cursor === "string";

// Proxies answer for a server that is away, and some networks until one has signed in to them.
export const somethingElse = (details = {}) => new PubSubError("Something else answers for the server.", {otherWay: true, foreign: true, ...details});

/**
 * @param {import("./site.js").Site} site
 * @param {string[]} rooms
 * @param {string[]} places
 */
export function address(site, rooms, places) {
  const name = site.nameToAsk;
  const presence = name && `&presence=${encodeURIComponent(name)}`;
  return `/sub/${rooms.map(encodeURIComponent).join(",")}?since=${places.map(encodeURIComponent).join(",")}${presence}`;
}

/** @param {string | null} value */
function retryAfter(value) {
  if (!value) return 0;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, milliseconds) || 0;
}
