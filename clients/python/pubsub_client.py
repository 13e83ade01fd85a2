"""Follow channels of a pubsub server, and publish to them.

    from pubsub_client import follow, publish

    publish("http://127.0.0.1:8080", "room", {"nick": "ann", "message": "hi"})
    for message in follow("http://127.0.0.1:8080", "room", since="all"):
        print(message["nick"], message["message"])

afollow and apublish are the same for asyncio. It needs Python 3.9 and nothing else.

The code is written once, as coroutines over a connection that reads and writes bytes. For
asyncio that is a real one of asyncio, without threads. For the others it is a blocking
socket: a coroutine on it never waits, so one step runs it to its end.
"""

import asyncio
import json
import logging
import math
import random
import secrets
import socket
import ssl
import time
from urllib.parse import quote, urlencode, urlsplit

__all__ = ["follow", "afollow", "publish", "apublish", "Message", "Gap", "Refused", "Unknown"]

log = logging.getLogger("pubsub")

FIRST_WAIT, LAST_WAIT = 0.2, 30.0  # seconds before the first repetition, and at most
MAX_AFTER = 300.0  # what a server says in Retry-After is believed up to this
SILENCE = 60.0  # how long a stream may be silent; the server says something every 20 s
POLL_WAIT = 22.0  # routers cut what is silent for 30 s
OVERDUE = 15.0  # how much later than its time an answer may come
TOO_SOON = 1.0  # for an answer that says nothing
POST_LIMIT = 30.0  # for each part of one try
KEY_LIFE = 270.0  # the server remembers a key for 5 minutes
MAX_ANSWER = 64 << 20


class Message(dict):
    """What somebody posted: its fields, among them "message" and mostly "nick".

    cursor is the place after it, in all channels that are followed. Store it, and go on
    from there with since=cursor after a restart. It may be in the form of the clients,
    CURSOR+N: N messages after a cursor of the server.
    """

    cursor = ""

    @property
    def id(self):
        """1, 2, 3 … in its channel, without holes."""
        return self["id"]

    @property
    def channel(self):
        return self["channel"]

    @property
    def timestamp(self):
        """When the server took it, in Unix seconds."""
        return self["timestamp"]


class Gap:
    """Messages that are gone for good: between the last one and the next.

    reason is "expired" (then missed is how many), "restarted" (the server has another log
    than the one that the reader knew) or "ahead".
    """

    def __init__(self, reason, missed, channel):
        self.reason, self.missed, self.channel, self.cursor = reason, missed, channel, ""

    def __str__(self):
        if self.reason == "expired":
            return f"messages of {self.channel} are missing: {self.missed} have expired"
        if self.reason == "restarted":
            return f"messages of {self.channel} may be missing: the server has begun a new log"
        return f"messages of {self.channel} may be missing ({self.reason})"


class Refused(Exception):
    """The server does not do what it was asked for, and str() is its sentence."""

    def __init__(self, status, text, retry_after=0.0, channels=()):
        super().__init__(text)
        self.status, self.retry_after = status, retry_after
        self.channels = channels  # that it is about, if not all that were asked for

    @property
    def final(self):
        return self.status < 500 and self.status not in (408, 429)


class Unknown(Exception):
    """A post was not answered, and may be published or not. To repeat it could double it."""


class _Cut(Exception):
    """A connection ended; after is when the server wants it to be opened again. If that was
    planned nothing is wrong: the server ends each stream some time."""

    def __init__(self, text, after=0.0, planned=False):
        super().__init__(text)
        self.retry_after, self.planned = after, planned


def follow(url, *channels, since="now", way="sse", token=None, presence=None, on_gap=None, on_lost=None):
    """Yield each Message of some channels once, and in order within its channel.

    It never ends by itself. It goes on by cursor after whatever happens to its connections,
    and raises Refused for what the server would refuse again. Leaving the loop, or close(),
    closes the connection.

    since -- "now", "all", "-N" for the last N messages, or a cursor; for several channels
             one word for all, or an item for each, joined with commas in their order
    way -- "sse", a stream (one request for many messages), or "poll", which passes through
           proxies that hold answers back. A cursor is the same in both.
    token -- is sent with each request, if the server asks for one: a text, or a function that
             returns one. The function is called at first, and when the server refuses what
             it has returned before
    presence -- is the name under which the reader is present in the channels meanwhile
    on_gap -- is called with a Gap where messages are gone for good; if it is not given they
              are a warning in the log "pubsub"
    on_lost -- is called with the error and the seconds until the next try when a connection
               is lost or refused, by which nothing is missing
    """
    messages = _follow(_Blocking, url, channels, since, way, token, presence, on_gap, on_lost)
    try:
        while True:
            try:
                message = _run(messages.__anext__())
            except StopAsyncIteration:
                return
            yield message
    finally:
        _run(messages.aclose())


def afollow(url, *channels, since="now", way="sse", token=None, presence=None, on_gap=None, on_lost=None):
    """follow for asyncio: async for message in afollow(…).

    Cancelling the task closes the connection. When the loop is left by break it is closed
    at once with contextlib.aclosing, and otherwise when asyncio finds the time.
    """
    return _follow(_Async, url, channels, since, way, token, presence, on_gap, on_lost)


def publish(url, channel, message, timeout=None, token=None):
    """Publish a dict, such as {"nick": "ann", "message": "hi"}, once.

    The post has a key, and is repeated with it while connections fail or the server is too
    busy. Returns the answer, which has the id of the message, and the cursor after it if
    the message has a text. Raises Refused for what the server would refuse again, and
    Unknown if timeout seconds, or the 4.5 minutes for which keys are good, are over and
    nobody knows whether it was published.
    """
    return _run(_publish(_Blocking, url, channel, message, timeout, token))


async def apublish(url, channel, message, timeout=None, token=None):
    """publish for asyncio."""
    return await _publish(_Async, url, channel, message, timeout, token)


# --- Where a reader is ---------------------------------------------------------------------


class _Position:
    """A cursor for each channel, and how many messages after it the reader has already."""

    def __init__(self, text, channels):
        parts = text.split(",")
        if len(parts) == 1 and _is_word(text):
            parts *= len(channels)
        if len(parts) != len(channels):
            raise ValueError(f"the cursor {text!r} is of {len(parts)} channels, not of {len(channels)}")
        self.channels = channels
        self.cursors, self.past = [], []
        for part in parts:
            cursor, plus, past = part.partition("+")
            if plus and not past.isdecimal():
                raise ValueError(f"{part!r} is no cursor")
            self.cursors.append(cursor)
            self.past.append(int(past or 0))

    def __str__(self):
        return ",".join(f"{c}+{n}" if n else c for c, n in zip(self.cursors, self.past))

    def copy(self):
        return _Position(str(self), self.channels)

    @property
    def since(self):
        """What the server is asked for: it sends again what the reader has already."""
        return ",".join(self.cursors)

    @property
    def has_word(self):
        """A place is not known yet. A request that is cut would lose it."""
        return any(map(_is_word, self.cursors))

    def move(self, joint):
        self.cursors = self.split(joint)

    def split(self, joint):
        parts = joint.split(",")
        if len(parts) != len(self.channels):
            raise _Cut(f"the server answered with the cursor {joint!r}, which is of other channels")
        return parts

    def index(self, answered):
        """Which channel a message or gap is of. Of a single one the server need not say."""
        channel = answered.get("channel") or self.channels[0]
        if channel not in self.channels:
            raise _Cut(f"the server answered for the channel {channel!r}, which was not asked for")
        return self.channels.index(channel)

    def had(self, i):
        """Whether the reader has the next message of a channel already."""
        if not self.past[i]:
            return False
        self.past[i] -= 1
        return True

    def gap(self, i, said):
        """The Gap to be told, or None if the reader had all that is missing."""
        reason, missed = said.get("reason", ""), said.get("missed", 0)
        had = min(self.past[i], missed)
        self.past[i] = self.past[i] - had if reason == "expired" else 0
        if had and had == missed and reason == "expired":
            return None
        gap = Gap(reason, missed - had if reason == "expired" else 0, self.channels[i])
        gap.cursor = str(self)
        return gap


def _is_word(text):
    return text in ("now", "all") or text.startswith("-")


def _read_page(page, at):
    """Return what a page has for a reader, and move its position behind it."""
    if not isinstance(page.get("cursor"), str) or not isinstance(page.get("messages"), list):
        raise ValueError("something else answers for the server: the page has no cursor")
    starts, ends = at.split(page["start"]), at.split(page["cursor"])
    at.cursors = [start if _is_word(c) else c for c, start in zip(at.cursors, starts)]
    items = []
    if page.get("gap"):
        i = at.index(page["gap"])
        at.cursors[i] = starts[i]
        gap = at.gap(i, page["gap"])
        items += [gap] if gap else []
    which = [at.index(m) for m in page["messages"]]
    left = [which.count(i) for i in range(len(starts))]
    shown, read = at.copy(), [0] * len(starts)
    for i, fields in zip(which, page["messages"]):
        left[i] -= 1
        read[i] += 1
        had = at.had(i)
        # The server says only where all of them end.
        shown.cursors[i], shown.past[i] = (starts[i], read[i]) if left[i] else (ends[i], at.past[i])
        if not had:
            items.append(_message(fields, str(shown)))
    at.cursors = ends
    return items


def _message(fields, cursor):
    message = Message(fields)
    message.cursor = cursor
    return message


# --- The loop that goes on after whatever happens -------------------------------------------


class _Backoff:
    """Any time up to a limit that doubles, on top of what the server asks for."""

    def __init__(self):
        self.failures = 0

    def wait(self, error):
        limit = min(FIRST_WAIT * 2 ** min(self.failures, 16), LAST_WAIT)
        self.failures += 1
        after = getattr(error, "retry_after", 0.0)
        return min(after, MAX_AFTER) + random.uniform(0, limit)

    def reset(self):
        self.failures = 0


# Of a connection, or of what it brought.
_FAILURES = (OSError, EOFError, ValueError, asyncio.TimeoutError, _Cut)


async def _follow(net, url, channels, since, way, token, presence, on_gap, on_lost):
    if not channels or not all(channels) or "," in "".join(channels):
        raise ValueError("which channel is to be followed? Name at least one")
    if way not in _WAYS:
        raise ValueError(f"{way!r} is no way; take sse or poll")
    site, at, backoff = _Site(net, url, token, presence), _Position(since or "now", channels), _Backoff()
    while True:
        pages, failure = _WAYS[way](site, at), None
        try:
            while not failure:
                try:
                    items, at = await pages.__anext__()
                except _FAILURES as error:
                    failure = error
                    break
                except Refused as error:
                    if error.final:
                        raise
                    failure = error
                    break
                backoff.reset()
                for item in items:
                    if isinstance(item, Gap):
                        (on_gap or _log_gap)(item)
                    else:
                        yield item
        finally:
            await pages.aclose()
        first, wait = not backoff.failures, backoff.wait(failure)
        if not getattr(failure, "planned", False):
            if on_lost:
                on_lost(failure, wait)
            else:
                _log_lost(failure, wait, first)
        await net.sleep(wait)


def _log_gap(gap):
    log.warning("%s", gap)


def _log_lost(error, wait, first):
    level = logging.WARNING if first else logging.INFO  # warnings are seen where nobody set logging up
    log.log(level, "the connection is lost, next try in %.1f s: %s", wait, _why(error))


def _why(error):
    return str(error) or type(error).__name__


# --- The ways: each yields what came, and the position behind it ------------------------------


async def _poll(site, at):
    while True:
        at, before = at.copy(), str(at)
        # The first poll does not wait: a reader without a place would lose what is said
        # between a cut and its next poll.
        timeout = 0 if at.has_word else POLL_WAIT * random.uniform(0.9, 1.1)
        began = time.monotonic()
        page = await site.ask("GET", site.sub(at, timeout=f"{timeout:.3f}"), {"Accept": "application/json"}, limit=timeout + OVERDUE)
        items = _read_page(page, at)
        nothing = str(at) == before and not page.get("more")
        if timeout and nothing and time.monotonic() - began < TOO_SOON:
            raise _Cut("the server answers at once that there is nothing")
        yield items, at


async def _sse(site, at):
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    answer = await site.request("GET", site.sub(at), headers, limit=SILENCE)
    retry = 0.0
    try:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise _foreign(answer)
        while True:
            event = await _event(answer)
            retry = event.get("retry", retry)
            at = at.copy()
            items = _read_event(event, at, retry)
            if items is not None:
                yield items, at
    except _Cut as error:
        error.retry_after = retry
        raise
    except _FAILURES as error:
        raise _Cut(str(error) or "the server was silent", retry) from error
    finally:
        answer.close()


async def _event(answer):
    """Read one event. What was cut is none."""
    event, data = {}, []
    while True:
        line = (await answer.line()).decode()
        if not line:
            event["data"] = "\n".join(data)
            return event
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            data.append(value)
        elif name == "retry" and value.isdecimal():
            event["retry"] = int(value) / 1000
        elif name in ("id", "event"):
            event[name] = value


def _read_event(event, at, retry):
    """Return what an event has for a reader, and move its position; None if it has nothing."""
    kind, data = event.get("event", "message"), event["data"]
    if kind == "end":
        raise _Cut(f"the server ended the stream: {data}", retry, planned=True)
    if kind == "error":
        said = _object(data)
        raise Refused(said.get("status", 503), said.get("error", data), retry)
    if kind not in ("message", "gap", "begin") or not (data or event.get("id")):
        return None
    if event.get("id"):
        at.move(event["id"])
    if not data or kind == "begin":
        return []
    said = _object(data)
    i = at.index(said)
    if kind == "gap":
        gap = at.gap(i, said)
        return [gap] if gap else []
    return [] if at.had(i) else [_message(said, str(at))]


_WAYS = {"sse": _sse, "poll": _poll}


# --- Posts ---------------------------------------------------------------------------------


async def _publish(net, url, channel, message, timeout, token):
    site, backoff, sent = _Site(net, url, token), _Backoff(), math.inf
    text = message.get("message")
    where = "pub" if isinstance(text, str) and text else "api/publish"  # any object goes there
    headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_urlsafe(16)}
    body = json.dumps(message).encode()
    until = time.monotonic() + (math.inf if timeout is None else timeout)
    while True:
        began = time.monotonic()
        try:
            limit = max(min(POST_LIMIT, until - began), 0.001)
            answer = await site.ask("POST", f"{site.path}/{where}/{quote(channel, safe='')}", headers, body, limit=limit)
            answer.setdefault("id", answer.get("message_id"))
            if not isinstance(answer["id"], int):
                raise ValueError("something else answers for the server: the receipt has no id")
            return answer
        except Refused as error:
            if error.final:
                raise
            failure, reached = error, error.status != 503 and error.status >= 500
        except _FAILURES as error:
            failure, reached = error, site.reached
        if reached:
            sent = min(sent, began)
        if not backoff.failures:
            log.warning("a message is not published yet, and is sent again until it is: %s", _why(failure))
        wait = backoff.wait(failure)
        if time.monotonic() + wait > min(until, sent + KEY_LIFE):
            if sent == math.inf:
                raise failure
            raise Unknown("nobody knows whether the message was published") from failure
        await net.sleep(wait)


# --- HTTP: as much of it as is needed -----------------------------------------------------


class _Site:
    """A server. Each request has a connection of its own."""

    def __init__(self, net, url, token=None, presence=None):
        self._renew = token if callable(token) else None
        self._token = None if self._renew else token
        self.reached = False
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8080")
        self._presence = {"presence": presence} if presence else {}
        self.net, self.tls = net, parts.scheme == "https"
        self.host, self.path = parts.hostname, parts.path.rstrip("/")
        self.port = parts.port or (443 if self.tls else 80)
        self.name = parts.netloc.rpartition("@")[2]

    def sub(self, at, **more):
        query = urlencode({"since": at.since, **more, **self._presence})
        return f"{self.path}/sub/{','.join(quote(c, safe='') for c in at.channels)}?{query}"

    async def request(self, method, target, headers, body=b"", *, limit):
        """Return an answer with status 200, which the caller closes. Each read may take limit."""
        if self._token is None and self._renew:
            self._token = self._renew()
        try:
            return await self._request(method, target, headers, body, limit)
        except Refused as error:
            if error.status != 401 or not self._renew:
                raise
        self._token = self._renew()
        return await self._request(method, target, headers, body, limit)

    async def _request(self, method, target, headers, body, limit):
        self.reached = False  # the server, or what stands before it
        conn = await self.net.open(self.host, self.port, ssl.create_default_context() if self.tls else None, limit)
        self.reached = True
        answer = _Answer(conn)
        try:
            lines = [f"{method} {target} HTTP/1.1", f"Host: {self.name}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if self._token:
                lines.append(f"Authorization: Bearer {self._token}")
            if method == "POST":
                lines.append(f"Content-Length: {len(body)}")
            await conn.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body)
            await answer.begin()
            if answer.status != 200:
                raise _refusal(answer, await answer.all())
            return answer
        except BaseException:
            answer.close()
            raise

    async def ask(self, method, target, headers, body=b"", *, limit):
        """Return the JSON object of an answer."""
        answer = await self.request(method, target, headers, body, limit=limit)
        try:
            return _object(await answer.all())
        finally:
            answer.close()


def _object(text):
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("the server answered with something that is no JSON object")
    return said


def _refusal(answer, text):
    try:
        said = _object(text)
    except ValueError:
        said = {}
    after = answer.headers.get("retry-after", "")
    after = float(after) if after.isdecimal() else 0.0
    sentence = said.get("error")
    # A proxy answers for a server that is away with any status, but without this header.
    if "pubsub-error" not in answer.headers or not isinstance(sentence, str):
        return _foreign(answer, after)
    return Refused(answer.status, sentence, after, said.get("channels", ()))


def _foreign(answer, after=0.0):
    kind = answer.headers.get("content-type", "")
    return _Cut(f"something else answers for the server: {kind!r}, with status {answer.status}", after)


class _Answer:
    """An answer of HTTP/1.1, whose body is read in parts or in lines."""

    def __init__(self, conn):
        self._conn, self._raw, self._body = conn, b"", b""
        self._left, self._chunked, self._ended = None, False, False
        self.status, self.headers = 0, {}

    def close(self):
        self._conn.close()

    async def begin(self):
        """Read up to the body."""
        self.status = 100
        while self.status < 200:  # an interim answer comes before the answer
            version, self.status = (await self._raw_line()).split()[:2]
            self.status = int(self.status)
            self.headers = {}
            while True:
                line = await self._raw_line()
                if not line:
                    break
                name, _, value = line.decode("latin-1").partition(":")
                self.headers[name.strip().lower()] = value.strip()
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        if not self._chunked and "content-length" in self.headers:
            self._left = int(self.headers["content-length"])

    async def line(self):
        """Return the next line of the body, without its end."""
        while b"\n" not in self._body:
            part = await self._part()
            if not part:
                raise EOFError("the connection was cut")
            self._body += part
            self._bound(self._body)
        line, _, self._body = self._body.partition(b"\n")
        return line[:-1] if line.endswith(b"\r") else line

    async def all(self):
        parts, size = [], 0
        while True:
            part = await self._part()
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise ValueError("the answer is too long")

    async def _part(self):
        """Return the next bytes of the body, none at its end."""
        if self._ended:
            return b""
        if self._chunked and not self._left:
            await self._next_chunk()
        if self._left == 0:
            self._ended = True
            return b""
        part = await self._some()
        if not part and self._left is not None:
            raise EOFError("the connection was cut")
        if self._left is not None:
            part, self._raw = part[: self._left], part[self._left :] + self._raw
            self._left -= len(part)
        return part

    async def _next_chunk(self):
        if self._left == 0:
            await self._raw_line()  # the end of the one before
        self._left = int((await self._raw_line()).partition(b";")[0], 16)

    async def _some(self):
        if self._raw:
            part, self._raw = self._raw, b""
            return part
        return await self._conn.read(65536)

    async def _raw_line(self):
        while b"\n" not in self._raw:
            part = await self._conn.read(65536)
            if not part:
                raise EOFError("the connection was cut")
            self._raw += part
            self._bound(self._raw)
        line, _, self._raw = self._raw.partition(b"\n")
        return line.rstrip(b"\r")

    @staticmethod
    def _bound(text):
        if len(text) > MAX_ANSWER:
            raise ValueError("the answer is too long")


class _Blocking:
    """A connection whose methods do not return before they are done."""

    def __init__(self, sock):
        self._sock = sock

    @classmethod
    async def open(cls, host, port, tls, limit):
        sock = socket.create_connection((host, port), timeout=limit)
        try:
            return cls(tls.wrap_socket(sock, server_hostname=host) if tls else sock)
        except BaseException:
            sock.close()
            raise

    async def write(self, data):
        self._sock.sendall(data)

    async def read(self, n):
        return self._sock.recv(n)

    def close(self):
        self._sock.close()

    @staticmethod
    async def sleep(seconds):
        time.sleep(seconds)


async def _within(limit, work):
    """asyncio.wait_for, which before Python 3.12 forgets a cancel that comes with the result."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=limit)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()  # does nothing to one that is done


class _Async:
    """A connection of asyncio."""

    def __init__(self, reader, writer, limit):
        self._reader, self._writer, self._limit = reader, writer, limit

    @classmethod
    async def open(cls, host, port, tls, limit):
        return cls(*await _within(limit, asyncio.open_connection(host, port, ssl=tls)), limit)

    async def write(self, data):
        self._writer.write(data)
        await _within(self._limit, self._writer.drain())

    async def read(self, n):
        return await _within(self._limit, self._reader.read(n))

    def close(self):
        self._writer.close()

    sleep = staticmethod(asyncio.sleep)


def _run(step):
    """Run a coroutine on blocking connections, which never waits, to its end."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a coroutine waited on a blocking connection")
