package clients_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/tokens"
)

const tokenKey = "0123456789abcdef0123456789abcdef"

const withTokens = `
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pubsub_client import *
url, tokens = sys.argv[2], list(sys.argv[3:])
def token():
    return tokens.pop(0) if len(tokens) > 1 else tokens[0]
print(publish(url, "room", {"message": "hi"}, token=token)["id"])
for way in "sse", "poll":
    for message in follow(url, "room", since="all", way=way, token=token):
        print(way, message["message"])
        break
async def main():
    async for message in afollow(url, "room", since="all", token=token):
        print("async", message["message"])
        break
asyncio.run(main())
try:
    publish(url, "room", {"message": "hi"})
except Refused as error:
    print(error.status)
try:
    next(follow(url, "room", "private", token=token))
except Refused as error:
    print(error.status, error.channels)
`

// The client for Python sends a token, and gets another when the server refuses it.
func TestTokensInPython(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t, "PUBSUB_TOKEN_KEY="+tokenKey)
	sign := func(last time.Duration) string {
		text, err := tokens.Sign(tokenKey, tokens.Claims{Expires: time.Now().Add(last), Rights: tokens.Rights{Publish: []string{"room"}, Subscribe: []string{"room"}}}, "", "")
		require.NoError(t, err)
		return text
	}
	said, err := exec.Command("python3", "-c", withTokens, "python", s.URL.String(), sign(-time.Hour), sign(time.Hour)).CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Equal(t, "1\nsse hi\npoll hi\nasync hi\n401\n403 ['private']\n", string(said))
}

const withTokensInJS = `
const {connect} = await import(process.argv[1] + "/js/pubsub.js");
const url = process.argv[2], tokens = process.argv.slice(3);
let asked = 0;
const token = () => (asked++, tokens.length > 1 ? tokens.shift() : tokens[0]);
const server = connect({base: url, way: "sse", token});
console.log((await server.publish("room", {message: "hi"})).id);
console.log(asked);
for (const way of ["sse", "poll"]) {
  const stop = new AbortController();
  for await (const {message} of connect({base: url, way, token}).messages("room", {since: "all", signal: stop.signal})) {
    console.log(way, message.message);
    break;
  }
}
console.log((await server.history("room")).messages.length);
await connect({base: url}).publish("room", {message: "hi"}).catch((error) => console.log(error.status));
await connect({base: url, token}).publish("private", {message: "hi"}).catch((error) => console.log(error.status));
globalThis.WebSocket = class {
  constructor(address) {
    console.log(new URL(address).searchParams.has("ticket"), address.includes(tokens[0]));
    process.exit();
  }
};
connect({base: url, way: "ws", token}).follow("room", {since: "all"});
`

// The client for JavaScript sends a token, gets another when the server refuses it, and has
// a ticket for a WebSocket.
func TestTokensInJavaScript(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t, "PUBSUB_TOKEN_KEY="+tokenKey)
	sign := func(last time.Duration) string {
		text, err := tokens.Sign(tokenKey, tokens.Claims{Expires: time.Now().Add(last), Rights: tokens.Rights{Publish: []string{"room"}, Subscribe: []string{"room"}}}, "", "")
		require.NoError(t, err)
		return text
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	said, err := exec.Command("node", "--input-type=module", "-e", withTokensInJS, dir, s.URL.String(), sign(-time.Hour), sign(time.Hour)).CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Equal(t, "1\n2\nsse hi\npoll hi\n1\n401\n403\ntrue false\n", string(said))
}
