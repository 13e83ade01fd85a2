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

// stale are prefixes of errors that mean that another server should be asked: this one has
// become a replica, has lost its primary, loads its data, or wants another password. The
// address may lead to another server by now, but only a new connection would find it.
var stale = []string{"READONLY ", "MASTERDOWN ", "LOADING ", "NOAUTH ", "WRONGPASS "}

// renewEvery is the least time between two closed connections.
const renewEvery = time.Second

// heed closes the connection after an error in stale, so that the next command dials again.
// Call heed with the error of each command.
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

// When a user lacks a right, Redis names the command, or the line of the script that has it.
var (
	refusedCommand = regexp.MustCompile(`no permissions to run the '([^']+)' command`)
	refusedLine    = regexp.MustCompile(`can't run this command.*@user_script:(\d+)`)
	calledCommand  = regexp.MustCompile(`redis\.call\('(\w+)'`)
)

// commandRefused returns the command that the user may not run, "" for any other error. A
// line is one of beat.lua, the only script that runs at the start.
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

// explain adds to an error at the start what a person can do about it.
func explain(t *target, n names, err error) error {
	text := err.Error()
	command := commandRefused(text)
	switch {
	case command != "":
		return fmt.Errorf("its user may not run the command %s: allow it with ACL SETUSER … +%s", command, command)
	case strings.HasPrefix(text, "NOPERM "):
		return fmt.Errorf("its user lacks a right: %s. All keys begin with %s, and all of Pub/Sub with %sbell", firstLine(text), n, n)
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

// errCluster: the keys of a log would be in many slots, which a cluster does not allow.
var errCluster = fmt.Errorf("it is a cluster, and the log of messages needs a single Redis, or one that Sentinels watch")

// isCluster tells whether the server is part of a cluster.
func (l *Log) isCluster(ctx context.Context) (bool, error) {
	info, err := l.client.Do(ctx, l.client.B().Info().Section("cluster").Build()).ToString()
	return strings.Contains(info, "cluster_enabled:1"), err
}
