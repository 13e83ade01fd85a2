package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
)

// All targets keep the last 1,000 messages of a channel for 5 minutes, and none
// limits how much one address may do: the generator is a crowd at one address.
const unlimited = "PUBSUB_MAX_POLLS=0 PUBSUB_MAX_POLLS_PER_CHANNEL=0 PUBSUB_MAX_POLLS_PER_CLIENT=0 " +
	"PUBSUB_MAX_POLLS_PER_ADDRESS=0 PUBSUB_MAX_CONNECTIONS_PER_ADDRESS=0 PUBSUB_PUBLISH_RATE=0 "

// originalMaxPolls is what the Python original bears: at about 500 its polls
// fail, and go on failing until it is restarted.
const originalMaxPolls = 200

// PeerNames are the targets that Peers knows, in the order of a table.
var PeerNames = []string{"pubsub", "floor", "floor-loop", "golongpoll", "nchan", "nchan-many", "original"}

// Peers builds the named targets into dir. original is a folder with the
// Python original, "" without. What cannot be had on this machine is left out,
// and notes say why.
func Peers(ctx context.Context, names []string, dir, original string) (specs []Spec, notes []string, err error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		spec, note := Spec{Name: name}, ""
		switch name {
		case "pubsub":
			spec.About = "this server"
			spec.Dialect, spec.Plain = named("cursor"), named("original")
			spec.Streams = map[string]load.Dialect{"sse": named("sse"), "ws": named("ws")}
			spec.Command = unlimited + "PUBSUB_ADDR=127.0.0.1:{port} exec " + quoted(dir, name)
			err = build(ctx, filepath.Dir(source), ".", filepath.Join(dir, name))
		case "floor":
			spec.About = "Go channels on net/http and nothing else: the least such a server can cost"
			spec.Dialect, spec.Plain = named("cursor"), named("original")
			spec.Streams = map[string]load.Dialect{"sse": named("sse")}
			spec.Command = "exec " + quoted(dir, name) + " -addr 127.0.0.1:{port}"
			err = build(ctx, source, "./floor", filepath.Join(dir, name))
		case "floor-loop":
			spec.About = "one goroutine with an epoll set and no net/http: the least that polls can cost in Go"
			spec.Dialect = named("cursor")
			spec.Command = "exec " + quoted(dir, name) + " -loop -addr 127.0.0.1:{port}"
			err = build(ctx, source, "./floor", filepath.Join(dir, name))
		case "golongpoll":
			spec.About = "the Go module jcuga/golongpoll"
			spec.Dialect = named("golongpoll")
			spec.Command = "exec " + quoted(dir, name) + " -addr 127.0.0.1:{port}"
			err = build(ctx, source, "./golongpoll", filepath.Join(dir, name))
		case "nchan", "nchan-many":
			spec.About = "nchan in nginx (C), one worker, one message an answer"
			spec.Streams = map[string]load.Dialect{"sse": named("nchan-sse"), "ws": named("nchan-ws")}
			if name == "nchan-many" {
				spec.Streams = nil // they do not differ
				spec.About = "the same with nchan_longpoll_multipart_response, which gathers"
			}
			spec.Dialect = named(name)
			spec.Command, spec.Prepare, note = nginx()
		case "original":
			spec.About = fmt.Sprintf("the Python original, at %d polls at most: at about 500 it breaks", originalMaxPolls)
			spec.Dialect, spec.Plain = named("original"), named("original")
			spec.MaxPolls = originalMaxPolls
			spec.Command, note = python(original)
		default:
			err = fmt.Errorf("there is no target %q; take some of %s", name, strings.Join(PeerNames, ","))
		}
		switch {
		case err != nil:
			return nil, nil, err
		case note != "":
			notes = append(notes, name+" was left out: "+note)
		default:
			specs = append(specs, spec)
		}
	}
	return specs, notes, nil
}

func named(name string) load.Dialect {
	d, err := dialect.Named(name)
	if err != nil {
		panic(err) // the names above are constants
	}
	return d
}

// quoted is a file's path for the shell.
func quoted(dir, name string) string {
	return "'" + strings.ReplaceAll(filepath.Join(dir, name), "'", `'\''`) + "'"
}

// sourceDir is the folder of this program's source.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || path != "pubsub/bench" {
		return "", errors.New("the servers are built from source: run this in the folder bench, with go on PATH")
	}
	return dir, nil
}

func build(ctx context.Context, dir, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", pkg, dir, err, output)
	}
	return nil
}

// python is the command for the original. Debian's interpreter is preferred:
// its gevent, bottle, zmq and jinja2 are packages of it.
func python(dir string) (command, note string) {
	if dir == "" {
		return "", "name its folder with -original=DIR"
	}
	if _, err := os.Stat(filepath.Join(dir, "app.py")); err != nil {
		return "", fmt.Sprintf("there is no app.py in %s", dir)
	}
	for _, interpreter := range []string{"/usr/bin/python3", "python3"} {
		check := exec.Command(interpreter, "-c", "import gevent, bottle, zmq, jinja2")
		if check.Run() == nil {
			return fmt.Sprintf("cd %s && OPENSHIFT_PYTHON_IP=127.0.0.1 OPENSHIFT_PYTHON_PORT={port} exec %s app.py",
				quoted(dir, ""), interpreter), ""
		}
	}
	return "", "install python3-gevent, python3-bottle, python3-zmq and python3-jinja2"
}
