package settings

import (
	"strings"
	"time"
)

// setting is one flag, and what its values look like.
type setting struct {
	name   string
	value  value
	wanted string // what values look like, if the value's error does not tell
	usage  string
}

// Bounds of settings. A value beyond them is taken for a typing error.
const (
	most        = 10_000_000
	mostRate    = 1_000_000
	leastRate   = 0.001
	maxHops     = 16
	leastLog    = 1 << 20
	mostLog     = 1 << 40
	mostMessage = 16 << 20
)

// table returns all settings in the order of the help. Flags, environment and help are made
// from it.
func (s *Settings) table() []setting {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	return []setting{
		{"addr", text(&s.Addr), "", "where to listen, host:port or unix:/path/of/a.sock; without a host, on all interfaces. PORT is the same for a port alone, and counts where this is not set"},
		{"poll-timeout", duration(&s.PollTimeout, time.Second, MaxTimeout, "to wait as long as a poll may"), "", "how long a poll waits that names no timeout, within 10 %. Routers cut what is silent for 30s"},
		{"heartbeat", duration(&s.Heartbeat, 10*time.Millisecond, time.Minute, "for none"), "", "how often a silent stream, or a silent /sub without a cursor, is written to, for the same routers"},
		{"stream-lifetime", duration(&s.StreamLifetime, time.Second, 24*time.Hour, "for no end"), "", "after how long a stream ends, within 20 %; its client comes again where it was"},
		{"drain-delay", duration(&s.DrainDelay, 10*time.Millisecond, hour, "for none"), "", "how long a stop only tells /readyz, and serves as before, for routers that learn late. It comes before the drain timeout"},
		{"drain-timeout", duration(&s.DrainTimeout, 10*time.Millisecond, hour, noLimit), "", "how long a stop waits for requests to end. PaaSes kill after 5s to 30s"},

		{"history", text(&s.History), "", "where messages are kept: memory, a folder such as ./data, or a Redis that many instances share, such as redis://host:6379, rediss://… or redis-sentinel://host:26379/mymaster; env:NAME is what that variable says"},
		{"redis-prefix", prefix(&s.RedisPrefix), "", "how the names of all keys in Redis begin, for several deployments on one Redis. None may begin with another's"},
		{"history-messages", limit(&s.HistoryMessages, 1, most), "", "how many messages of a channel are kept"},
		{"history-age", duration(&s.HistoryAge, 10*time.Millisecond, year, noLimit), "", "how long a message is kept"},
		{"history-bytes", limit(&s.HistoryBytes, leastLog, mostLog), "", "how many bytes of messages are kept over all channels, a quarter of the memory if not set. What leaves first is the oldest of the address that has most"},
		{"max-message-bytes", limit(&s.MaxMessageBytes, 1, mostMessage), "", "how long a posted message may be, as JSON"},
		{"max-channels", limit(&s.MaxChannels, 1, most), "", "how many channels may have messages at a time"},
		{"max-channels-per-address", limit(&s.MaxChannelsPerAddress, 1, most), "", "how many channels with messages one address may have begun"},

		{"crowd", onOff(&s.Crowd), "", "whether polls with a cursor wait without a goroutine, where they can; off is for comparison, and for trouble"},
		{"max-polls", limit(&s.MaxPolls, 1, most), "", "how many polls may be pending in all; fewer if not set and the process may not open so many files"},
		{"max-polls-per-channel", limit(&s.MaxPollsPerChannel, 1, most), "", "how many polls may be pending on one channel"},
		{"max-polls-per-client", limit(&s.MaxPollsPerClient, 1, most), "", "how many polls may be pending with one X-Client-ID; a newer one ends the oldest"},
		{"max-polls-per-address", limit(&s.MaxPollsPerAddress, 1, most), "", "how many polls may be pending from one address"},
		{"publish-rate", decimal(&s.PublishRate, leastRate, mostRate), "", "how many messages a second one address may post"},
		{"publish-burst", limit(&s.PublishBurst, 1, most), "", "how many messages one address may post at once after a rest"},
		{"max-connections-per-address", limit(&s.MaxConnectionsPerAddress, 1, most), "", "how many connections one address may have open, and how many requests under way; at most half of the files that the process may open if not set. With trusted hops only the requests count, since all connections are the proxy's, and on a socket without them nothing does"},
		{"request-rate", decimal(&s.RequestRate, leastRate, mostRate), "", "how many requests a second of one address are answered at once; those beyond wait, up to a second. If not set, five for each poll that one address may have"},
		{"read-rate", decimal(&s.ReadRate, leastRate, mostRate), "", "how many reads a second one address may make that cost much and do not wait, such as a long list of channels"},

		{"allowed-origins", list(&s.AllowedOrigins), "", "whose pages may use the server besides its own, with commas between them; * is everybody's"},
		{"allowed-hosts", list(&s.AllowedHosts), "", "the names under which the server may be asked for, with commas between them; any if not set. A page elsewhere whose name is turned to this server's address gets nothing then"},
		{"list-channels", boolean(&s.ListChannels), "", "whether everybody may list the channels in use"},
		{"trusted-hops", count(&s.TrustedHops, maxHops), "a number of proxies, such as 1, from 0 to 16", "how many proxies stand in front, whose X-Forwarded-For entries are believed"},
		{"paas", boolean(&s.PaaS), "", "the defaults that fit a PaaS, which is one trusted hop. Whatever else is set wins"},

		{"token-key", secret(&s.TokenKey), "", "checks clients' tokens: a secret of at least 32 bytes, or the path of a PEM file with a public key. Without it everybody may do everything"},
		{"token-jwks", text(&s.TokenJWKS), "", "the address of public keys for tokens (a JWKS), in place of a key"},
		{"token-audience", text(&s.TokenAudience), "", "what tokens must be for (aud); any if not set"},
		{"token-issuer", text(&s.TokenIssuer), "", "who must have made tokens (iss); any if not set"},
		{"anonymous", rights(&s.Anonymous), "rights such as subscribe:public-*,publish:lobby", "what may be done without a token where one is needed"},

		{"tls-cert", text(&s.TLSCert), "", "the path of a PEM file with a certificate, for HTTPS and HTTP/2; it is read again when it changes"},
		{"tls-key", text(&s.TLSKey), "", "the path of a PEM file with the certificate's private key"},
		{"domain", text(&s.Domain), "", "the name for which to get a certificate by ACME, in place of files. It listens on :443 then, unless addr is set"},
		{"cert-dir", text(&s.CertDir), "", "the folder where certificates of the domain are kept"},
		{"acme", text(&s.ACME), "", "the address of the issuer's ACME directory; Let's Encrypt's if not set"},
		{"redirect-addr", text(&s.RedirectAddr), "", "where plain HTTP is sent to HTTPS, and where an issuer asks, host:port; :80 with a domain if not set"},

		{"admin-addr", text(&s.AdminAddr), "", "where to serve pprof and, instead of on the main address, the metrics"},
		{"log-level", level(&s.LogLevel), "debug, info, warn or error", "the least that is logged; debug has a line for each request"},
		{"log-format", text(&s.LogFormat), "", "how log lines are written, to stderr: text or json"},
	}
}

// env returns the environment variable of a setting.
func (s setting) env() string {
	return "PUBSUB_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}
