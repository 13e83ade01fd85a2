// The two requests the page makes, and what can become of them.

const SHORT_LIMIT = 10_000;
// Longer than a server may be set to hold a poll, so that only a dead connection gets here.
const LONG_LIMIT = 70_000;

/** A request that brought no usable answer. */
export class RequestError extends Error {
  /**
   * @param {string} reason for people; the server's own sentence where it gave one
   * @param {{status?: number, retryAfter?: number, timedOut?: boolean}} [details] retryAfter in milliseconds
   */
  constructor(reason, {status = 0, retryAfter = 0, timedOut = false} = {}) {
    super(reason);
    this.status = status;
    this.retryAfter = retryAfter;
    this.timedOut = timedOut;
  }

  /** Whether asking again, unchanged, can help. */
  get temporary() {
    return this.status < 400 || this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** Asks for what came after a cursor; atOnce does not wait for something to come. */
export async function poll(channel, since, {clientID, atOnce, signal}) {
  const query = new URLSearchParams({since});
  if (atOnce) query.set("timeout", "0");
  const answer = await request(`/sub/${encodeURIComponent(channel)}?${query}`, {
    headers: {"X-Client-ID": clientID},
    limit: atOnce ? SHORT_LIMIT : LONG_LIMIT,
    signal,
  });
  // Some networks answer for the server until one has signed in to them.
  if (!Array.isArray(answer?.messages)) throw new RequestError("Something else answers for the server.");
  return answer;
}

/** Posts a message; the same key again posts nothing twice. */
export function publish(channel, {nick, message, key}) {
  return request(`/pub/${encodeURIComponent(channel)}`, {
    method: "POST",
    headers: {"Content-Type": "application/json", "Idempotency-Key": key},
    body: JSON.stringify({nick, message}),
    limit: SHORT_LIMIT,
  });
}

async function request(url, {limit, signal, ...options}) {
  const stop = new AbortController();
  const cancel = () => stop.abort();
  signal?.addEventListener("abort", cancel);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop.abort();
  }, limit);
  try {
    // With a cache, identical requests of two tabs wait for each other.
    const response = await fetch(url, {...options, cache: "no-store", signal: stop.signal});
    const answer = await response.json().catch((error) => {
      // A cut in the middle is a cut; anything else that is not JSON came from a proxy's error page.
      if (response.ok || stop.signal.aborted) throw error;
      return {};
    });
    if (response.ok) return answer;
    throw new RequestError(answer.error ?? `The server answered ${response.status}.`, {
      status: response.status,
      retryAfter: retryAfter(response),
    });
  } catch (error) {
    if (error instanceof RequestError || signal?.aborted) throw error;
    throw new RequestError("The server cannot be reached.", {timedOut});
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  if (!value) return 0;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, milliseconds) || 0;
}
