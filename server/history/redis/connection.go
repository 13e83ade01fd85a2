package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stale are the beginnings of errors by which a server says that it is not the one to ask any
// more: it has become a replica, has lost its primary, loads its data, or wants another
// password. The address may lead to another server by now, but only a new connection would
// find it.
var stale = []string{"READONLY ", "MASTERDOWN ", "LOADING ", "NOAUTH ", "WRONGPASS "}

// renewEvery bounds how often a connection is given up.
const renewEvery = time.Second

// heed looks at the error of a command. After one that says that the connection leads to the
// wrong server, the connection is closed, so that the next command dials anew.
func (l *Log) heed(err error) {
	if err == nil || !hasPrefix(err.Error(), stale) {
		return
	}
	last, now := l.renewed.Load(), time.Now().UnixNano()
	if now-last < int64(renewEvery) || !l.renewed.CompareAndSwap(last, now) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		_ = l.client.Do(ctx, l.client.B().Quit().Build()).Error() // the server closes the connection
	}()
}

func hasPrefix(text string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// Of a user's missing right Redis names the command, or the line of a script that has it.
var (
	refusedCommand = regexp.MustCompile(`no permissions to run the '([^']+)' command`)
	refusedLine    = regexp.MustCompile(`can't run this command.*@user_script:(\d+)`)
	calledCommand  = regexp.MustCompile(`redis\.call\('(\w+)'`)
)

// commandRefused is the command that the user may not run, "" if that is not the error. A
// line is one of beat.lua, which is the only script that runs at the start.
func commandRefused(text string) string {
	if command := refusedCommand.FindStringSubmatch(text); command != nil {
		return command[1]
	}
	at := refusedLine.FindStringSubmatch(text)
	if at == nil {
		return ""
	}
	line, _ := strconv.Atoi(at[1])
	if lines := strings.Split(beatSource, "\n"); line <= len(lines) {
		if called := calledCommand.FindStringSubmatch(lines[line-1]); called != nil {
			return strings.ToLower(called[1])
		}
	}
	return ""
}

// explain says what a person can do about an error at the start.
func explain(t *target, err error) error {
	text := err.Error()
	command := commandRefused(text)
	switch {
	case command != "":
		return fmt.Errorf("its user may not run the command %s: allow it with ACL SETUSER … +%s", command, command)
	case strings.HasPrefix(text, "NOPERM "):
		return fmt.Errorf("its user lacks a right: %s. All keys begin with %s, and all of Pub/Sub with %sbell", firstLine(text), prefix, prefix)
	case t.tls && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(tls.RecordHeaderError))):
		return fmt.Errorf("%w. If it does not speak TLS, write redis:// in place of rediss://", err)
	case !t.tls && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Errorf("%w. If it speaks TLS, write rediss:// in place of redis://", err)
	}
	return err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, " script:")
	return line
}

// errCluster is for a Redis that a log with keys of many slots cannot be in.
var errCluster = fmt.Errorf("it is a cluster, and the log of messages needs a single Redis, or one that Sentinels watch")

// isCluster tells whether the server is one of a cluster.
func (l *Log) isCluster(ctx context.Context) (bool, error) {
	info, err := l.client.Do(ctx, l.client.B().Info().Section("cluster").Build()).ToString()
	return strings.Contains(info, "cluster_enabled:1"), err
}
