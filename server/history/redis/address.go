package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// IsAddress tells whether text is the address of a Redis.
func IsAddress(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && (scheme == "redis" || scheme == "rediss" || scheme == sentinelScheme)
}

const sentinelScheme = "redis-sentinel"

// target is a Redis and how to log in to it.
type target struct {
	name       string // the address without the password, for people
	hosts      []string
	user       string
	password   string
	database   int
	tls        bool
	unverified bool

	masterSet        string // the master's name if hosts are Sentinels; otherwise "", like the next two
	sentinelUser     string
	sentinelPassword string
}

// parse parses redis://, rediss:// and redis-sentinel:// addresses. Its errors do not repeat
// the address, which may have a password. User and password of the Sentinels are options.
func parse(text string) (*target, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	t := &target{tls: scheme == "rediss"}
	place := rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		place = rest[at+1:]
		if err := t.login(rest[:at]); err != nil {
			return nil, err
		}
	}
	hosts, path, _ := strings.Cut(place, "/")
	t.name = scheme + "://" + place
	port := "6379"
	if scheme == sentinelScheme {
		port = "26379"
	}
	if err := t.where(hosts, port); err != nil {
		return nil, err
	}
	if scheme == sentinelScheme {
		if t.masterSet, path, _ = strings.Cut(path, "/"); t.masterSet == "" {
			return nil, errors.New("a redis-sentinel address ends in the name of the master, such as redis-sentinel://host:26379/mymaster")
		}
	}
	return t, errors.Join(t.choose(path), t.options(query))
}

func (t *target) login(text string) (err error) {
	user, password, _ := strings.Cut(text, ":")
	if t.user, err = url.PathUnescape(user); err == nil {
		t.password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("user and password of the Redis address must be percent-encoded")
	}
	return nil
}

func (t *target) where(hosts, port string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		if _, given, err := net.SplitHostPort(host); err != nil || given == "" {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if strings.HasPrefix(host, ":") {
			return errors.New("the Redis address has no host, such as in redis://127.0.0.1:6379")
		}
		t.hosts = append(t.hosts, host)
	}
	return nil
}

func (t *target) choose(database string) (err error) {
	if database == "" {
		return nil
	}
	if t.database, err = strconv.Atoi(database); err != nil || t.database < 0 {
		return fmt.Errorf("%q is no number of a Redis database", database)
	}
	return nil
}

// options parses the options after the question mark. TLS is used with rediss://, and with
// Sentinels and their Redis only if the option tls is given.
func (t *target) options(query string) error {
	values, err := url.ParseQuery(query)
	for name, value := range values {
		switch {
		case name == "tls" && value[0] == "verified" && t.masterSet != "":
			t.tls = true
		case name == "tls" && value[0] == "unverified" && (t.tls || t.masterSet != ""):
			t.tls, t.unverified = true, true
		case name == "tls":
			return errors.New("the option \"tls\" of the Redis address may be unverified, with rediss://, or verified or unverified, with redis-sentinel://")
		case name == "sentinel_user" && t.masterSet != "":
			t.sentinelUser = value[0]
		case name == "sentinel_password" && t.masterSet != "":
			t.sentinelPassword = value[0]
		default:
			return fmt.Errorf("the Redis address has the option %q, which is none; there is tls, and sentinel_user and sentinel_password with redis-sentinel://", name)
		}
	}
	return err
}

// Timeouts of Redis.
const (
	dialTimeout = 2 * time.Second
	callTimeout = 2 * time.Second
)

// option returns the options of a client. Nothing is retried or cached by the client, because
// reads would hang through an outage. The buffers are small, because there are two clients:
// one for calls and one for the bell.
func (t *target) option() rueidis.ClientOption {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second}
	o := rueidis.ClientOption{
		InitAddress: t.hosts, Username: t.user, Password: t.password, SelectDB: t.database, ClientName: "pubsub",
		DisableCache: true, DisableRetry: true, AlwaysPipelining: true, PipelineMultiplex: -1, ForceSingleClient: t.masterSet == "",
		ConnWriteTimeout: callTimeout, Dialer: dialer,
		RingScaleEachConn: 8, ReadBufferEachConn: 32 << 10, WriteBufferEachConn: 32 << 10,
	}
	if t.tls { // the name to verify is that of the dialed host
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.unverified}
	}
	if t.masterSet != "" {
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: t.masterSet, Username: t.sentinelUser, Password: t.sentinelPassword, ClientName: "pubsub",
			Dialer: dialer, TLSConfig: o.TLSConfig, TopologyRefreshInterval: time.Second,
		}
	}
	return o
}
