package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

const underManyNames = `
const {connect} = await import(process.argv[1] + "/js/pubsub.js");
const [url, way] = process.argv.slice(2);
const until = async (is) => { while (!(await is())) await new Promise((again) => setTimeout(again, 10)); };
const server = connect({base: url, way, presence: "first"});
const heard = [], gaps = [], told = [];
server.follow("room", {since: "all", onMessage: ({message}) => heard.push(message), onGap: (gap) => gaps.push(gap)});
server.follow("room:presence", {since: "all", onMessage: ({presence, name}) => told.push(presence + " " + name)});
const names = async () => (await server.whoIsHere("room")).names ?? [];
await until(async () => (await names()).includes("first"));
for (let i = 0; i < 20; i++) {
  server.presence = i % 3 ? "name" + i : "";
  await server.publish("room", {message: String(i)});
}
server.presence = "last";
await until(async () => (await names()).includes("last"));
// Where much changes within a second, the server tells the count in place of names.
await until(() => heard.length === 20 && told.some((one) => one === "join last" || one.startsWith("count")));
await server.typing("room", "last");
await until(() => told.includes("typing last"));
server.presence = "\n";
await server.publish("room", {message: "20"});
await until(() => heard.length === 21);
console.log(server.presence === "\n", gaps.length, heard.join() === Array.from({length: 21}, (_, i) => i).join());
process.exit();
`

// The name changes again and again, and nothing is lost. A name that is refused is left out.
func TestPresenceChangesInJavaScript(t *testing.T) {
	for _, way := range []string{"sse", "poll"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := pubsubtest.Start(t, "PUBSUB_PUBLISH_RATE=0")
			require.Equal(t, "true 0 true\n", runJavaScript(t, underManyNames, s.URL.String(), way))
		})
	}
}

const ofAnOldServer = `
const {connect} = await import(process.argv[1] + "/js/pubsub.js");
const server = connect({base: process.argv[2]});
await server.typing("room", "ann");
await server.whoIsHere("room").catch(({status, temporary}) => console.log(status, temporary));
server.follow("room:presence", {onStatus: ({name, status}) => name === "refused" && (console.log(name, status), process.exit())});
`

// A server that knows nothing of it refuses, once and for all.
func TestPresenceOfAnOldServerInJavaScript(t *testing.T) {
	t.Parallel()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Pubsub-Error", "not-found")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"There is nothing here."}`)
	}))
	defer old.Close()
	require.Equal(t, "404 false\nrefused 404\n", runJavaScript(t, ofAnOldServer, old.URL))
}

// runJavaScript runs a program, which has this folder before its other arguments, and
// returns what it wrote.
func runJavaScript(t *testing.T, program string, args ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), pubsubtest.Patience)
	defer cancel()
	args = append([]string{"--input-type=module", "-e", program, dir}, args...)
	said, err := exec.CommandContext(ctx, pubsubtest.Find(t, "nodejs", "node"), args...).CombinedOutput()
	require.NoError(t, err, "%s", said)
	return string(said)
}
