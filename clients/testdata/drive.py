"""Drive the client for Python: drive.py WORD URL WAY SINCE CHANNEL…

The words follow and afollow print a message a line as JSON, and {"gap": …} for a gap, as
pubsub tail -json does. publish and apublish post each line of standard input.
"""

import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import pubsub_client as pubsub

word, url, way, since, *channels = sys.argv[1:]


def show(line):
    print(json.dumps(line), flush=True)


def gap(told):
    show({"gap": {"reason": told.reason, "missed": told.missed, "channel": told.channel}, "cursor": told.cursor})


def lost(error, wait):
    print(f"{error!r}, trying again in {wait:.1f} s", file=sys.stderr)


async def afollow():
    async for message in pubsub.afollow(url, *channels, since=since, way=way, presence=os.environ.get("PRESENCE"), on_gap=gap, on_lost=lost):
        show({**message, "cursor": message.cursor})


async def apublish():
    for line in sys.stdin:
        await pubsub.apublish(url, channels[0], {"message": line.rstrip("\n")})


if word == "follow":
    for message in pubsub.follow(url, *channels, since=since, way=way, presence=os.environ.get("PRESENCE"), on_gap=gap, on_lost=lost):
        show({**message, "cursor": message.cursor})
elif word == "publish":
    for line in sys.stdin:
        pubsub.publish(url, channels[0], {"message": line.rstrip("\n")})
else:
    asyncio.run({"afollow": afollow, "apublish": apublish}[word]())
