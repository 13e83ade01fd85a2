package clients_test

import (
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
