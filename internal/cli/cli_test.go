package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	pubsub "pubsub/clients/go"
	"pubsub/internal/cli"
	"pubsub/internal/pubsubtest"
	"pubsub/server/tokens"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pubsubtest.Remove()
		os.Exit(code)
	}))
}

// post runs the word post with these lines.
func post(t *testing.T, lines string, args ...string) error {
	return cli.Post(t.Context(), args, strings.NewReader(lines), io.Discard, io.Discard)
}

// tailed is what a tail prints, line by line, until its test ends.
type tailed struct{ stdout, stderr *bufio.Reader }

// tail starts the word tail.
func tail(t *testing.T, args ...string) *tailed {
	ctx, cancel := context.WithCancel(t.Context())
	stdout, out := io.Pipe()
	stderr, complaints := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- cli.Tail(ctx, args, out, complaints) }()
	t.Cleanup(func() {
		cancel()
		_, _ = stdout.Close(), stderr.Close()
		require.NoError(t, <-ended)
	})
	return &tailed{bufio.NewReader(stdout), bufio.NewReader(stderr)}
}

func line(t *testing.T, from *bufio.Reader) string {
	text, err := from.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(text, "\n")
}

func TestWhatIsPostedIsPrinted(t *testing.T) {
	s := pubsubtest.Start(t)
	url := s.URL.String()
	require.NoError(t, post(t, "first\r\n\n second \nno end", "-nick", "ann", url, "room"))
	require.NoError(t, post(t, "by nobody\n", url, "room"))
	s.Post(t, "/pub/room", pubsubtest.JSON(`{"nick":"eve","message":"\u001b[2J\u202e bye\tbye\nann: hi"}`))
	s.Post(t, "/api/publish/room", pubsubtest.JSON(`{"temperature":21.5}`))
	s.Post(t, "/pub/acts", pubsubtest.JSON(`{"message":"\u009b2J\u007f é"}`))
	require.Contains(t, line(t, tail(t, "-since=all", "-json", url, "acts").stdout), `"message":"\u009b2J\u007f é"`)
	require.Equal(t, "a\n\\u009b2J", cli.Printable("a\n\u009b2J"))

	at := regexp.MustCompile(`^\d\d:\d\d:\d\d |^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d `)
	printed := tail(t, url, "room").stdout
	for _, want := range []string{
		"ann: first", "ann:  second ", "ann: no end", "by nobody", `eve: \x1b[2J\u202e bye\tbye\nann: hi`,
	} {
		got := line(t, printed)
		require.Regexp(t, at, got)
		require.Equal(t, want, at.ReplaceAllString(got, ""))
	}
	require.Contains(t, line(t, printed), `"temperature":21.5`)

	several := tail(t, "-since=-1", url, "news", "room").stdout
	require.Regexp(t, ` room \{"id":6,`, line(t, several))
	require.NoError(t, post(t, "good\n", url, "news"))
	require.Regexp(t, ` news good$`, line(t, several))
	require.Regexp(t, `^\{"id":1,.*"message":"first"`, line(t, tail(t, "-since=all", "-json", url, "room").stdout))
}

// A gap is beside the messages for people, and among them for programs.
func TestAGapIsPrinted(t *testing.T) {
	s := pubsubtest.Start(t)
	url := s.URL.String()
	require.NoError(t, post(t, "hi\n", url, "room"))
	people, programs := tail(t, "-since=abcdefgh1234-99", url, "room"), tail(t, "-json", "-since=abcdefgh1234-99", url, "room")
	require.Equal(t, "(messages of room may be missing: the server has begun a new log)", line(t, people.stderr))
	require.Regexp(t, `hi$`, line(t, people.stdout))
	require.Regexp(t, `^\{"cursor":"\w+-0","gap":\{"channel":"room","reason":"restarted"\}\}$`, line(t, programs.stdout))
	require.Regexp(t, `"message":"hi"`, line(t, programs.stdout))
}

// What the server refuses ends the word with the server's sentence; what cannot be reached
// is told, and tried again.
func TestRefusals(t *testing.T) {
	s := pubsubtest.Start(t)
	url := s.URL.String()
	require.ErrorContains(t, post(t, "hi\n", url, "a b"), "A channel's name")
	var told bytes.Buffer
	lines := "first\n" + strings.Repeat("long", 10_000) + "\nlast\n"
	require.EqualError(t, cli.Post(t.Context(), []string{url, "room"}, strings.NewReader(lines), io.Discard, &told), "1 of 3 lines are not published")
	require.Regexp(t, `^Line 2 is not published: .*\(status 413\)\n$`, told.String())
	printed := tail(t, "-since=all", url, "room").stdout
	require.Regexp(t, `first$`, line(t, printed))
	require.Regexp(t, `last$`, line(t, printed), "a line that is too long keeps no other back")
	require.ErrorContains(t, cli.Tail(t.Context(), []string{"-way=poll", url, "a b"}, io.Discard, io.Discard), "A channel's name")
	require.Regexp(t, `refused; trying again in \d`, line(t, tail(t, "http://"+pubsubtest.Reserve(t, "127.0.0.1"), "room").stderr))
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"http://chat"}, {"chat:80", "room"}, {"-x", "http://chat", "room"}} {
		err := post(t, "", args...)
		require.ErrorIs(t, err, cli.ErrUsage)
		require.ErrorContains(t, err, "see pubsub post -help")
		require.ErrorIs(t, cli.Tail(t.Context(), args, io.Discard, io.Discard), cli.ErrUsage)
	}
	require.ErrorIs(t, post(t, "", "http://chat", "room", "news"), cli.ErrUsage)
	require.ErrorIs(t, cli.Tail(t.Context(), []string{"-way=pigeon", "http://chat", "room"}, io.Discard, io.Discard), cli.ErrUsage)
}

func TestHelp(t *testing.T) {
	var tail, post bytes.Buffer
	require.NoError(t, cli.Tail(t.Context(), []string{"-help"}, &tail, io.Discard))
	require.NoError(t, cli.Post(t.Context(), []string{"-help"}, nil, &post, io.Discard))
	for _, each := range []string{"pubsub tail [flags] URL CHANNEL...", "-since where", "-json", "-way way"} {
		require.Contains(t, tail.String(), each)
	}
	require.Contains(t, post.String(), "pubsub post [flags] URL CHANNEL\n")
	for text := range strings.Lines(tail.String() + post.String()) {
		require.LessOrEqual(t, len(text), 81, text)
	}
}

// start starts the program, with its standard input and output in pipes.
func start(t *testing.T, args ...string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout io.ReadCloser) {
	dir, err := pubsubtest.Build()
	require.NoError(t, err)
	cmd = exec.CommandContext(t.Context(), filepath.Join(dir, "pubsub"), args...)
	stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err = cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, stdin, stdout
}

// startWith is start with what is said on stderr.
func startWith(t *testing.T, stderr io.Writer, args ...string) (cmd *exec.Cmd, stdin io.WriteCloser) {
	dir, err := pubsubtest.Build()
	require.NoError(t, err)
	cmd = exec.CommandContext(t.Context(), filepath.Join(dir, "pubsub"), args...)
	cmd.Stderr = stderr
	stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, stdin
}

// Ctrl-C, and a reader that has seen enough, are the ways in which these words end.
func TestTheyEndWell(t *testing.T) {
	s := pubsubtest.Start(t)
	url := s.URL.String()
	require.NoError(t, post(t, "hi\n", url, "room"))

	interrupted, _, stdout := start(t, "tail", url, "room")
	require.Contains(t, line(t, bufio.NewReader(stdout)), "hi")
	require.NoError(t, interrupted.Process.Signal(os.Interrupt))
	require.NoError(t, interrupted.Wait())

	closed, _, stdout := start(t, "tail", url, "room")
	require.Contains(t, line(t, bufio.NewReader(stdout)), "hi")
	require.NoError(t, stdout.Close()) // and nothing more is said
	require.NoError(t, closed.Wait())

	var said bytes.Buffer
	poster, stdin := startWith(t, &said, "post", url, "room")
	_, err := io.WriteString(stdin, "one\n")
	require.NoError(t, err)
	printed := tail(t, "-since=all", url, "room").stdout
	require.Contains(t, line(t, printed), "hi")
	require.Contains(t, line(t, printed), "one")
	require.NoError(t, poster.Process.Signal(syscall.SIGINT)) // while it waits for a line
	if err := poster.Wait(); err != nil {                     // it has not had the answer yet, which others may see first
		require.Contains(t, said.String(), "nobody knows whether the message was published")
	}

	wrong, _, _ := start(t, "tail", url)
	var exit *exec.ExitError
	require.ErrorAs(t, wrong.Wait(), &exit)
	require.Equal(t, 2, exit.ExitCode())
}

// A token is in the environment.
func TestTokenOfTheEnvironment(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	s := pubsubtest.Start(t, "PUBSUB_TOKEN_KEY="+key)
	token, err := tokens.Sign(key, tokens.Claims{Expires: time.Now().Add(time.Hour), Rights: tokens.Rights{Publish: []string{"room"}}}, "", "")
	require.NoError(t, err)
	require.Error(t, cli.Post(t.Context(), []string{s.URL.String(), "room"}, strings.NewReader("hi\n"), io.Discard, io.Discard))
	t.Setenv("PUBSUB_TOKEN", token)
	require.NoError(t, cli.Post(t.Context(), []string{s.URL.String(), "room"}, strings.NewReader("hi\n"), io.Discard, io.Discard))
}

// Who is interrupted while a line is on its way is told that nobody knows what became of
// it; who is interrupted before that has lost nothing.
func TestInterruptedPosts(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- cli.Post(ctx, []string{server.URL, "room"}, strings.NewReader("hi\n"), io.Discard, io.Discard)
	}()
	<-asked
	cancel()
	require.ErrorIs(t, <-ended, pubsub.ErrUnknown)

	ctx, cancel = context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	defer typed.Close() // else its reader is left behind
	go func() { ended <- cli.Post(ctx, []string{server.URL, "room"}, stdin, io.Discard, io.Discard) }()
	_, err := typed.Write([]byte("a line that has no end"))
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-ended)
}
