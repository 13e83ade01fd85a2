// Package settings has all settings: their flags and environment variables, bounds and
// reasons. Load reads them, and WriteHelp describes them.
package settings

import (
	"log/slog"
	"time"

	"pubsub/server/tokens"
)

// Settings has all settings. Each is a flag and an environment variable of the same name:
// PollTimeout is -poll-timeout and PUBSUB_POLL_TIMEOUT. The flag wins. A limit of 0 is no
// limit. A value beyond the bounds is taken for a typing error. An address is that of the
// peer, or the one that trusted proxies tell.
type Settings struct {
	// Addr is where to listen: host:port, :port for all interfaces, or unix:/path/of/a.sock.
	// If it is not set, PORT, as a PaaS sets it, is :port.
	Addr string

	// PollTimeout is how long a poll without a timeout of its own waits, within 10 %: 1 s to
	// 60 s, 0 is 60 s. The default is 22 s, because routers close connections that are silent
	// for 30 s.
	PollTimeout time.Duration
	// Heartbeat is the time after which a silent stream, or a silent /sub without a cursor, is
	// written to, for the same routers and to find out which clients are gone: 10 ms to 1 min,
	// 0 is never.
	Heartbeat time.Duration
	// StreamLifetime is after how long a stream ends, so that its client connects again,
	// within 20 %: 1 s to 24 h, 0 is never. So after a deploy no client stays for days with an
	// overloaded instance.
	StreamLifetime time.Duration
	// DrainDelay is how long the server serves as before when it is asked to stop, while
	// /readyz says so: up to 1 h. A router that looks at /readyz now and then sends requests
	// meanwhile.
	DrainDelay time.Duration
	// DrainTimeout is how long a stop waits for requests to end: 10 ms to 1 h. PaaSes kill a
	// process 5 to 30 s after asking it to stop.
	DrainTimeout time.Duration

	// History is where messages are kept. It is memory, which ends with the process; a folder,
	// as a path with a slash; or the address of a Redis that any number of instances share:
	// redis://, rediss:// or redis-sentinel://. env:NAME is the value of that variable,
	// because a Procfile cannot expand variables.
	History string
	// RedisPrefix begins the names of all keys and of the Pub/Sub channel in Redis: 1 to 64
	// characters. Several deployments may share a Redis under prefixes of which none begins
	// with another.
	RedisPrefix string
	// HistoryMessages is how many messages of a channel are kept: 1 to 10,000,000.
	HistoryMessages int
	// HistoryAge is how long a message is kept: 10 ms to a year. A client that is offline for
	// less misses nothing. The default is 5 minutes in memory, and 7 days in a folder or a
	// Redis.
	HistoryAge time.Duration
	// HistoryBytes is how many bytes of messages are kept over all channels: 1 MiB to 1 TiB.
	// The default is a quarter of the memory, between 32 MiB and 1 GiB, because messages are
	// most of the memory that clients can make the server use.
	HistoryBytes int
	// MaxMessageBytes is how many bytes a posted message may have, as JSON: 1 to 16 MiB.
	MaxMessageBytes int

	// MaxChannels is how many channels may have messages at a time: 1 to 10,000,000. Beyond
	// that, the owner that began most of them loses one.
	MaxChannels int
	// MaxChannelsPerAddress is how many of them one address may have begun. An IPv6 /48 counts
	// as one address here, because one client can have so many.
	MaxChannelsPerAddress int

	// Crowd makes polls with a cursor wait without a goroutine, where they can. Without it
	// each has a goroutine, which takes more memory.
	Crowd bool
	// MaxPolls is how many polls may be pending: 1 to 10,000,000. Each takes a file
	// descriptor, so the default is lower if the process may not open so many.
	MaxPolls int
	// MaxPollsPerChannel is how many of them may be on one channel.
	MaxPollsPerChannel int
	// MaxPollsPerClient is how many may have one X-Client-ID. A newer one ends the oldest, so
	// that a client which lost its connection can come back.
	MaxPollsPerClient int
	// MaxPollsPerAddress is how many may come from one address. Many people may share the
	// address of an office.
	MaxPollsPerAddress int
	// PublishRate is how many messages a second one address may post: 0.001 to
	// 1,000,000.
	PublishRate float64
	// PublishBurst is how many messages it may post at once after a pause.
	PublishBurst int

	// MaxConnectionsPerAddress is how many connections one address may have open. It is also
	// how many requests it may have under way, because with HTTP/2 a connection has many. The
	// default is at most half of the files that the process may open. Behind proxies it limits
	// requests only, as all connections come from the proxies. On a Unix socket without
	// proxies it limits nothing.
	MaxConnectionsPerAddress int
	// RequestRate is how many requests a second of one address are answered at once. Requests
	// beyond it are delayed, so that one address cannot take all of the processor. They are
	// refused if they would wait for more than a second. The default is five for each poll
	// that one address may have, because a poll that was answered comes again.
	RequestRate float64
	// ReadRate is how many costly reads a second one address may make, such as a long list of
	// channels.
	ReadRate float64

	// AllowedOrigins are the origins whose pages may use the server besides its own:
	// scheme://host[:port], or * for all. Others are refused, because a page can post in the
	// name of anybody who visits it.
	AllowedOrigins []string
	// AllowedHosts are the hosts for which the server may be asked; any if empty. A page
	// elsewhere can make its own domain resolve to this server's address, and then has the
	// same origin.
	AllowedHosts []string
	// ListChannels lets everybody list the channels in use.
	ListChannels bool
	// TrustedHops is how many proxies in front have their X-Forwarded-For entries believed: 0
	// to 16. With one too many, clients can invent addresses. With one too few, all clients
	// have one address.
	TrustedHops int
	// PaaS sets the defaults for a PaaS, which are one trusted hop. Any other setting wins.
	PaaS bool

	// TokenKey checks the tokens of clients. It is a secret of at least 32 bytes, or the path
	// of a PEM file with a public key. If neither this nor TokenJWKS is set, everybody may do
	// everything.
	TokenKey string
	// TokenJWKS is the address of public keys for tokens, instead of TokenKey.
	TokenJWKS string
	// TokenAudience and TokenIssuer are the audience and the issuer that a token must have;
	// any if empty.
	TokenAudience, TokenIssuer string
	// Anonymous are the rights of clients without a token, such as
	// subscribe:public-*,publish:lobby. There are none if it is empty. It needs TokenKey or
	// TokenJWKS.
	Anonymous tokens.Rights

	// TLSCert and TLSKey are PEM files, for TLS. They are read again when they change.
	TLSCert, TLSKey string
	// Domain is the name for which a certificate is issued by ACME, for TLS. CertDir is the
	// folder for certificates, which must be set then, because issuers limit how often they
	// issue one.
	Domain, CertDir string
	// ACME is the address of the issuer's directory; that of Let's Encrypt if empty.
	ACME string
	// RedirectAddr is where plain HTTP is redirected to HTTPS, and where an issuer checks the
	// domain: host:port. With Domain the default is :80.
	RedirectAddr string

	// AdminAddr is where pprof is served and, instead of on Addr, the metrics: host:port.
	// Nowhere if empty.
	AdminAddr string
	// LogLevel is the lowest level that is logged. Debug has a line for each request.
	LogLevel slog.Level
	// LogFormat is the form of log lines: text or json.
	LogFormat string

	// ShowVersion is only the flag -version.
	ShowVersion bool

	// MemoryLimit is how many bytes the process should take: nine tenths of the limit of its
	// cgroup. It is 0 if there is no such limit or GOMEMLIMIT is set.
	MemoryLimit int64
	// Warnings are sentences about settings that are probably a mistake.
	Warnings []string
}

// MaxTimeout is the longest timeout of a poll.
const MaxTimeout = 60 * time.Second

// Default returns the settings of a server for which nothing is set.
func Default() Settings {
	return Settings{
		Addr:           "127.0.0.1:8080",
		PollTimeout:    22 * time.Second,
		Heartbeat:      20 * time.Second,
		StreamLifetime: 10 * time.Minute,
		DrainTimeout:   5 * time.Second,

		History:         "memory",
		RedisPrefix:     "pubsub:",
		HistoryMessages: 1000,
		HistoryAge:      5 * time.Minute,
		HistoryBytes:    historyBytes(),
		MaxMessageBytes: 16 << 10,

		MaxChannels:           10_000,
		MaxChannelsPerAddress: 1000,

		Crowd:              true,
		MaxPolls:           100_000,
		MaxPollsPerChannel: 10_000,
		MaxPollsPerClient:  6, // a browser opens as many connections to a host
		MaxPollsPerAddress: 1000,
		PublishRate:        20,
		PublishBurst:       100,

		MaxConnectionsPerAddress: 1200,
		RequestRate:              5000,
		ReadRate:                 20,

		ListChannels: true,

		LogFormat: "text",
	}
}
