// Package settings is everything that can be set: what it is, by flag or by
// environment, within which bounds, and why. Load reads it, WriteHelp tells of it.
package settings

import (
	"log/slog"
	"time"

	"pubsub/server/tokens"
)

// Settings is every setting. Each is a flag and an environment variable of the same
// name: PollTimeout is -poll-timeout and PUBSUB_POLL_TIMEOUT; the flag wins. A limit
// of 0 is no limit. The bounds are those beyond which a value is a slip of the
// finger; "address" is what the peer's is, or what trusted proxies say.
type Settings struct {
	// Addr is where to listen: host:port, :port for all interfaces, or
	// unix:/path/of/a.sock. PORT, as a PaaS sets it, is :port, and loses to this.
	Addr string

	// PollTimeout is how long a poll waits that names no timeout, within 10 %: 1 s to
	// 60 s, 0 is 60 s. Routers cut what is silent for 30 s, so 22 s.
	PollTimeout time.Duration
	// Heartbeat is how often a silent stream, or a silent /sub without a cursor, is
	// written to, for the same routers and to find out who is gone: 10 ms to 1 min, 0 is
	// never.
	Heartbeat time.Duration
	// StreamLifetime is after how long a stream ends and its client comes again, within
	// 20 %: 1 s to 24 h, 0 is never. So after a deploy no client stays for days with an
	// instance that has too many.
	StreamLifetime time.Duration
	// DrainTimeout is how long a stop waits for requests to end: 10 ms to 1 h. PaaSes
	// kill 5 to 30 s after they asked.
	DrainTimeout time.Duration

	// History is where messages are kept: memory, which ends with the process; a folder,
	// which is a path with a slash in it; or the address of a Redis that any number of
	// instances share, redis://, rediss:// or redis-sentinel://. env:NAME is what that
	// variable says, since a Procfile cannot expand it.
	History string
	// HistoryMessages is how many messages of a channel are kept: 1 to 10,000,000.
	HistoryMessages int
	// HistoryAge is how long a message is kept: 10 ms to a year. A client that was
	// offline for less misses nothing. If not set it is 5 minutes in memory, and 7 days
	// in a folder or a Redis.
	HistoryAge time.Duration
	// HistoryBytes is how many bytes of messages are kept over all channels: 1 MiB to
	// 1 TiB. By default a quarter of the memory, between 32 MiB and 1 GiB: messages
	// are what strangers can make the server hold most of.
	HistoryBytes int
	// MaxMessageBytes is how long a posted message may be, as JSON: 1 to 16 MiB.
	MaxMessageBytes int

	// MaxChannels is how many channels may have messages at a time: 1 to 10,000,000.
	// When there is no room, who began most of them makes some.
	MaxChannels int
	// MaxChannelsPerAddress is how many of them one address may have begun. An IPv6
	// /48 is one here, since one person can have so many.
	MaxChannelsPerAddress int

	// Crowd is whether polls with a cursor wait without a goroutine, where they can. If not
	// each has one of its own, which takes more memory.
	Crowd bool
	// MaxPolls is how many polls may be pending: 1 to 10,000,000. Each takes a file
	// descriptor, so if not set it is fewer where the process may not open so many.
	MaxPolls int
	// MaxPollsPerChannel is how many of them may be on one channel.
	MaxPollsPerChannel int
	// MaxPollsPerClient is how many may be of one X-Client-ID. A newer one ends the
	// oldest, so that a client which lost its connection does not shut itself out.
	MaxPollsPerClient int
	// MaxPollsPerAddress is how many may be of one address. Behind one office's
	// address are many people.
	MaxPollsPerAddress int
	// PublishRate is how many messages a second one address may post: 0.001 to
	// 1,000,000.
	PublishRate float64
	// PublishBurst is how many of them it may post at once after a rest.
	PublishBurst int

	// MaxConnectionsPerAddress is how many connections one address may have open, and
	// how many requests under way, as with HTTP/2 a connection has many; if not set at
	// most half of the files that the process may open. Behind proxies only requests
	// count, since all connections come from one. On a Unix socket without proxies
	// nothing does.
	MaxConnectionsPerAddress int
	// RequestRate is how many requests a second of one address are answered at once;
	// those beyond wait, so that one address cannot take all of the processor, or are
	// refused where they would wait over a second. If not set it is five for each poll
	// that one address may have, since a poll that was answered comes again.
	RequestRate float64
	// ReadRate is how many reads a second one address may make that cost much and do
	// not wait, such as a long list of channels.
	ReadRate float64

	// AllowedOrigins are whose pages may use the server besides its own, as
	// scheme://host[:port]; * is everybody's. Others' are refused, since a page can
	// post in the name of whoever looks at it.
	AllowedOrigins []string
	// AllowedHosts are the names under which the server may be asked for; any if
	// empty. A page elsewhere can turn its own name to this server's address, and is
	// of the same origin then.
	AllowedHosts []string
	// ListChannels is whether everybody may list the channels in use.
	ListChannels bool
	// TrustedHops is how many proxies stand in front whose X-Forwarded-For entries are
	// believed: 0 to 16. One too many lets clients invent addresses, one too few makes
	// all of them one address.
	TrustedHops int
	// PaaS sets the defaults that fit one, which is one trusted hop. Whatever else is
	// set wins.
	PaaS bool

	// TokenKey checks the tokens of clients: a secret of at least 32 bytes, or the path of a
	// PEM file with a public key. If neither this nor TokenJWKS is set, everybody may do
	// everything.
	TokenKey string
	// TokenJWKS is the address of public keys for tokens, in place of TokenKey.
	TokenJWKS string
	// TokenAudience is what a token must be for, TokenIssuer who must have made it; any if
	// empty.
	TokenAudience, TokenIssuer string
	// Anonymous is what may be done without a token, such as
	// subscribe:public-*,publish:lobby. Nothing if empty. It has a meaning only with a key.
	Anonymous tokens.Rights

	// TLSCert and TLSKey are PEM files, for TLS. They are read again when they change.
	TLSCert, TLSKey string
	// Domain is the name for which a certificate is issued by ACME, for TLS. CertDir is the
	// folder where certificates are kept, which must be set: issuers limit how often they
	// issue one.
	Domain, CertDir string
	// ACME is the address of the issuer's directory; Let's Encrypt's if empty.
	ACME string
	// RedirectAddr is where plain HTTP is sent to HTTPS, and where an issuer asks: host:port.
	// With Domain it is :80 if not set.
	RedirectAddr string

	// AdminAddr is where to serve pprof and, instead of on Addr, the metrics: host:port.
	// Nowhere if empty.
	AdminAddr string
	// LogLevel is the least that is logged. Debug has a line for each request.
	LogLevel slog.Level
	// LogFormat is how log lines are written: text or json.
	LogFormat string

	// ShowVersion is only the flag -version.
	ShowVersion bool

	// MemoryLimit is how many bytes the process should take, nine tenths of what its
	// cgroup lets it have; 0 if there is no such limit or GOMEMLIMIT is set.
	MemoryLimit int64
	// Warnings are sentences about settings that are probably not what was meant.
	Warnings []string
}

// MaxTimeout is the longest wait of a poll that names one.
const MaxTimeout = 60 * time.Second

// Default is what a server runs with when nothing is set.
func Default() Settings {
	return Settings{
		Addr:           "127.0.0.1:8080",
		PollTimeout:    22 * time.Second,
		Heartbeat:      20 * time.Second,
		StreamLifetime: 10 * time.Minute,
		DrainTimeout:   5 * time.Second,

		History:         "memory",
		HistoryMessages: 1000,
		HistoryAge:      5 * time.Minute,
		HistoryBytes:    historyBytes(),
		MaxMessageBytes: 16 << 10,

		MaxChannels:           10_000,
		MaxChannelsPerAddress: 1000,

		Crowd:              true,
		MaxPolls:           100_000,
		MaxPollsPerChannel: 10_000,
		MaxPollsPerClient:  6, // as many connections as a browser has to a host
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
