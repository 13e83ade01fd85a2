"""Tests of what only the client for Python has. Run by go test ./clients, or by
python3 -m unittest in this folder."""

import asyncio
import json
import socket
import threading
import time
import unittest

import pubsub_client as pubsub

HI = {"id": 8, "timestamp": 1795285979.339111, "channel": "room", "nick": "ann", "message": "hi"}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text):
    return f"{len(text.encode()):x};ext=1\r\n{text}\r\n".encode()


def answer(said, status="200 OK", headers=""):
    text = json.dumps(said)
    if status != "200 OK":
        headers += "Pubsub-Error: test\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n{headers}\r\n{text}".encode()


def event(data="", **fields):
    lines = [f"{name}: {value}" for name, value in fields.items()] + ([f"data: {json.dumps(data)}"] if data else [])
    return chunk("\n".join(lines) + "\n\n")


class Server:
    """Answers each request with the next of some bytes. It then closes the connection, or
    leaves it to the client if the bytes end with None. It waits for nothing forever."""

    PATIENCE = 30

    def __init__(self, *answers):
        self.answers, self.requests, self.hung_up = list(answers), [], threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(self.PATIENCE)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        left = iter(self.answers)
        parts = next(left, None)
        while parts is not None:
            conn, _ = self.listener.accept()
            with conn:
                conn.settimeout(self.PATIENCE)
                try:
                    self.requests.append(self.read(conn))
                except ConnectionError:
                    continue  # given up before it asked for anything
                parts, sent = next(left, None), parts
                try:
                    for part in sent:
                        if part is not None:
                            conn.sendall(part)
                        else:
                            self.await_end(conn)
                except ConnectionError:
                    pass  # given up before it had all

    def await_end(self, conn):
        try:
            conn.recv(1)
        except ConnectionResetError:
            pass
        self.hung_up.set()

    @classmethod
    def read(cls, conn):
        request = b""
        while b"\r\n\r\n" not in request:
            request += cls.some(conn)
        head, _, body = request.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += cls.some(conn)
        return head.decode() + "\n" + body.decode()

    @staticmethod
    def some(conn):
        data = conn.recv(65536)
        if not data:
            raise ConnectionResetError("It hung up in the midst of a request.")
        return data

    def end(self):
        self.thread.join()
        self.listener.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.saved = {name: getattr(pubsub, name) for name in ("FIRST_WAIT", "SILENCE", "OVERDUE", "POLL_WAIT", "TOO_SOON", "KEY_LIFE", "MAX_AFTER")}
        pubsub.FIRST_WAIT, pubsub.MAX_AFTER = 0.01, 0.4
        self.lost = []

    def tearDown(self):
        for name, value in self.saved.items():
            setattr(pubsub, name, value)

    def serve(self, *answers):
        server = Server(*answers)
        self.addCleanup(server.end)
        return server

    def follow(self, server, n, **options):
        """The first n messages, of both flavours of the client."""
        options.setdefault("on_lost", lambda error, wait: self.lost.append((str(error), wait)))
        messages = []
        for message in pubsub.follow(server.url, "room", **options):
            messages.append(message)
            if len(messages) == n:
                return messages
        return messages

    async def afollow(self, server, n, **options):
        messages = []
        stream = pubsub.afollow(server.url, "room", on_lost=lambda error, wait: self.lost.append((str(error), wait)), **options)
        try:
            async for message in stream:
                messages.append(message)
                if len(messages) == n:
                    return messages
        finally:
            await stream.aclose()

    def both(self, n, answers, **options):
        """Follows with both, and returns the messages and the requests of each."""
        for follow in (self.follow, lambda *a, **o: asyncio.run(self.afollow(*a, **o))):
            with self.subTest(follow):
                self.lost.clear()
                server = self.serve(*answers)
                yield follow(server, n, **options), server.requests


class Streams(Case):
    def test_goes_on_by_cursor_after_a_cut_in_the_midst_of_an_event(self):
        whole = event(HI, id="e-8")
        answers = [
            [STREAM, event(id="e-7"), whole[:40]],
            [STREAM, event(id="e-7"), chunk(": still here\n\n"), whole[:1], whole[1:50], whole[50:], None],
        ]
        for messages, requests in self.both(1, answers):
            self.assertEqual(messages, [HI])
            self.assertEqual((messages[0].id, messages[0].channel, messages[0].cursor), (8, "room", "e-8"))
            self.assertIn("GET /sub/room?since=now ", requests[0])
            self.assertIn("GET /sub/room?since=e-7 ", requests[1])

    def test_a_silent_stream_is_given_up(self):
        pubsub.SILENCE = 1
        answers = [[STREAM, event(id="e-7"), None], [STREAM, event(HI, id="e-8"), None]]
        for messages, _ in self.both(1, answers):
            self.assertEqual(messages, [HI])
            self.assertEqual(len(self.lost), 1)

    def test_a_wait_is_short_again_after_something_went_well(self):
        answers = [[STREAM, event({**HI, "id": n}, id=f"e-{n}")] for n in range(10)]
        for messages, _ in self.both(10, answers):
            self.assertEqual([m.id for m in messages], list(range(10)))
            self.assertLessEqual(max(wait for _, wait in self.lost), pubsub.FIRST_WAIT)

    def test_retry_is_honoured_after_an_error_and_an_end(self):
        answers = [
            [STREAM, chunk("retry: 300\n\n"), event({"error": "Full.", "status": 503}, event="error")],
            [STREAM, event(id="e-7"), event({"reason": "draining"}, event="end", retry=200), chunk("")],
            [STREAM, event(HI, id="e-8"), None],
        ]
        began = time.monotonic()
        for messages, _ in self.both(1, answers):
            self.assertEqual(messages, [HI])
            self.assertEqual([text for text, _ in self.lost], ["Full."])  # the end was planned
            self.assertTrue(0.3 <= self.lost[0][1] < 0.35, self.lost)
            self.assertGreaterEqual(time.monotonic() - began, 0.5)

    def test_a_gap_is_told_before_what_follows_it(self):
        gap = event({"reason": "expired", "missed": 3}, event="gap", id="e-7")
        told = []
        for messages, _ in self.both(1, [[STREAM, gap, event(HI, id="e-8"), None]], since="e-4", on_gap=told.append):
            self.assertEqual(messages, [HI])
        self.assertEqual([(g.reason, g.missed, g.channel, g.cursor) for g in told], [("expired", 3, "room", "e-7")] * 2)

    def test_a_gap_is_logged_and_errors_of_a_callback_are_the_callers(self):
        answers = [[STREAM, event({"reason": "restarted"}, event="gap", id="f-0"), event(HI, id="f-8"), None]]
        with self.assertLogs("pubsub", "WARNING"):
            self.assertEqual(self.follow(self.serve(*answers), 1), [HI])

        def fail(_):
            raise ValueError("of the caller")

        with self.assertRaisesRegex(ValueError, "of the caller"):
            self.follow(self.serve(*answers), 1, on_gap=fail)

    def test_what_is_refused_for_good_is_raised(self):
        refusal = answer({"error": "You may not."}, "403 Forbidden")
        for way in ("sse", "poll"):
            busy = answer({"error": "Wait."}, "429 Too Many Requests", "Retry-After: 1\r\n")
            with self.assertRaisesRegex(pubsub.Refused, "^You may not.$") as raised:
                self.follow(self.serve([busy], [refusal]), 1, way=way)
            self.assertEqual(raised.exception.status, 403)
            self.assertGreaterEqual(self.lost[-1][1], 0.4)

    def test_leaving_the_loop_closes_the_connection(self):
        server = self.serve([STREAM, event(HI, id="e-8"), None])
        self.follow(server, 1)
        self.assertTrue(server.hung_up.wait(10))

    def test_cancelling_closes_the_connection(self):
        server = self.serve([STREAM, event(HI, id="e-8"), None])

        async def cancelled():
            task = asyncio.ensure_future(self.afollow(server, 2))
            while not server.requests:
                await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        self.assertTrue(server.hung_up.wait(10))

    def test_a_cancel_that_comes_with_something_else_counts(self):
        async def cancelled():
            came = asyncio.get_running_loop().create_future()

            async def work():
                await came

            task = asyncio.ensure_future(pubsub._within(10, work()))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            came.set_result(None)
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())

    def test_what_is_no_stream_is_a_lost_connection(self):
        server = self.serve([answer({"messages": []})], [STREAM, event(HI, id="e-8"), None])
        self.assertEqual(self.follow(server, 1), [HI])
        self.assertRegex(str(self.lost[0][0]), "something else answers for the server")


class Polls(Case):
    def test_the_first_poll_does_not_wait_and_a_silent_one_is_given_up(self):
        pubsub.POLL_WAIT = pubsub.OVERDUE = 0.5
        page = {"messages": [], "start": "e-7", "cursor": "e-7", "more": False}
        answers = [[answer(page)], [None], [answer({**page, "messages": [HI], "cursor": "e-8"})]]
        for messages, requests in self.both(1, answers, way="poll"):
            self.assertEqual((messages, messages[0].cursor), ([HI], "e-8"))
            self.assertIn("since=now&timeout=0.000", requests[0])
            self.assertIn("since=e-7&timeout=0.", requests[1])
            self.assertEqual(len(self.lost), 1)

    def test_empty_answers_are_no_reason_to_hurry(self):
        page = {"messages": [], "start": "e-7", "cursor": "e-7", "more": False}
        answers = [[answer(page)]] * 4 + [[answer({**page, "messages": [HI], "cursor": "e-8"})]]
        for _ in self.both(1, answers, way="poll"):
            self.assertEqual(len(self.lost), 3)


class Arguments(Case):
    def test_wrong_ones(self):
        for args, options in [
            (("chat:80", "room"), {}),
            (("http://chat",), {}),
            (("http://chat", "a,b"), {}),
            (("http://chat", "a"), {"way": "ws"}),
            (("http://chat", "a"), {"since": "e-1,e-2"}),
            (("http://chat", "a"), {"since": "e-1+x"}),
        ]:
            with self.assertRaises(ValueError, msg=args):
                next(pubsub.follow(*args, **options))


class Posts(Case):
    def publish(self, server, message, **options):
        return pubsub.publish(server.url, "room", message, **options)

    def apublish(self, server, message, **options):
        return asyncio.run(pubsub.apublish(server.url, "room", message, **options))

    def test_a_post_is_repeated_with_its_key(self):
        for publish in (self.publish, self.apublish):
            server = self.serve(
                [],
                [answer({"error": "Full."}, "503 Service Unavailable", "Retry-After: 1\r\n")],
                [answer({"status": "sent", "id": 42, "cursor": "e-42"})[:-5]],
                [answer({"status": "sent", "id": 42, "cursor": "e-42"})],
            )
            began = time.monotonic()
            self.assertEqual(publish(server, {"message": "hé"})["id"], 42)
            self.assertGreaterEqual(time.monotonic() - began, 0.4)
            self.assertEqual(len(set(server.requests)), 1)
            self.assertRegex(server.requests[0], r"^POST /pub/room HTTP/1.1\r\n(?s:.*)Idempotency-Key: \S{20,}")
            self.assertEqual(len(server.requests), 4)

    def test_it_is_given_up_when_nobody_knows(self):
        for publish in (self.publish, self.apublish):
            with self.assertRaises(pubsub.Unknown):
                publish(self.serve([None]), {"message": "hi"}, timeout=1)
        pubsub.KEY_LIFE = 0
        with self.assertRaises(pubsub.Unknown):
            self.publish(self.serve([]), {"message": "hi"})

    def test_nothing_is_sent_where_nobody_listens(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            for publish in (pubsub.publish, lambda *args, **more: asyncio.run(pubsub.apublish(*args, **more))):
                with self.assertLogs("pubsub", "WARNING") as told, self.assertRaises(ConnectionRefusedError):
                    publish(url, "room", {"message": "hi"}, timeout=0.5)
                self.assertEqual(len(told.output), 1)

    def test_a_refusal_is_known(self):
        busy = answer({"error": "Full."}, "503 Service Unavailable", "Retry-After: 9\r\n")
        with self.assertRaisesRegex(pubsub.Refused, "Full."):
            self.publish(self.serve([busy]), {"message": "hi"}, timeout=0.3)
        with self.assertRaisesRegex(pubsub.Refused, "Too long."):
            self.publish(self.serve([answer({"error": "Too long."}, "413 X")]), {"message": "hi"})

    def test_any_object_can_be_posted(self):
        server = self.serve([answer({"status": "published", "message_id": 7})])
        self.assertEqual(self.publish(server, {"temperature": 21.5})["id"], 7)
        self.assertIn("POST /api/publish/room ", server.requests[0])


if __name__ == "__main__":
    unittest.main()
