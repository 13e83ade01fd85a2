// Bench measures servers of long polls and streams side by side: how much
// processor time they take for a delivered message, how much memory for a
// waiting poll or a stream, what they lose, and how late they are.
//
//	go run . compare                          everything, some 20 minutes
//	go run . compare -original=DIR            with the Python original, patched for Python 3
//	go run . compare -rounds 1 -work flood:1000 -targets pubsub,floor
//	go run . compare -rounds 3 -work fanout:1000 -targets pubsub,nchan -browser
//	go run . compare -rounds 3 -work streams -targets pubsub,floor,nchan
//	go run . ways -rounds 3 -svg ways.svg
//	go run . run -url http://127.0.0.1:8080 -pid 1234 -scenario fanout
//	go run . tls
//	go run . crowd -command 'PUBSUB_ADDR=127.0.0.1:{port} ./pubsub'
//	go run . attack -command 'PUBSUB_ADDR=127.0.0.1:{port} exec ./pubsub'
//
// Run it in this folder: compare builds the servers from source. It needs
// Linux, for epoll and /proc. nchan takes part when nginx and
// libnginx-mod-nchan are installed.
//
// # What is measured
//
//   - fanout: so many polls wait, one message comes, all have it and have asked
//     again; over and over. CPU a delivery is for one message to one client,
//     with the client's next poll, since one does not go without the other.
//   - flood: messages at a rate, whether or not the server keeps up. Each client
//     goes on from its last message; what it never had is lost. Latency counts
//     from when a message was meant to be published, so a server that holds up
//     its publisher does not look fast.
//   - churn: connections that poll and hang up while their poll is pending.
//   - idle: the memory of waiting polls, PSS of all the server's processes.
//   - stream: streams are opened and weighed when they have been silent for
//     -quiet; then messages come at a calm rate, each to all. stream-sse are
//     Server-Sent Events, stream-ws WebSockets; flood-sse and flood-ws are the
//     flood with streams for polls. Latency is to the last byte of a message,
//     of all streams: with 5,000 of them it is mostly their place in the row.
//   - ways: one chat over polls now and then, long polls, SSE and WebSocket.
//   - tls: streams or polls of a plain client, without TLS, with it, and with HTTP/2.
//   - crowd: as many polls as sockets allow, step by step.
//   - attack: what a hostile stranger costs the server, and those who chat on it.
//
// # How to read it
//
// Every run has a server of its own, fresh. The rounds are interleaved, so what
// else the machine does hits all alike; still, leave it alone. Trust ratios
// more than numbers, and a difference only where the spreads do not overlap.
// All servers keep 1,000 messages for 5 minutes and have no limits for one
// address. The first moments of each run are not counted.
//
// The generator shares the machine with the server. It notes when it was the
// bottleneck, or the machine was full: then CPU and losses stand, but latency
// is the machine's. The processor time that the kernel spends on a connection
// is counted for whoever was running, mostly whoever sent.
//
// The target floor is the least that a server on net/http can do, and so a
// mark: what another one takes more is what its features cost; floor-loop is
// the same without net/http. A server with
// cursors gives what has gathered with one answer, so in a flood a slow one may
// have less CPU a delivery than a quick one; "messages an answer" tells.
//
// Memory of a few streams says little of a Go server, which keeps up to 16 MB
// that it does not need: for 1,000 streams these are up to 16 KB each. Trust
// 5,000 and more.
//
// # Other servers
//
// -also brings in a server that is not built here. Centrifugo (5; 6 has other
// names for its settings) and Mercure are known by their protocols:
//
//	-also 'centrifugo centrifugo-sse,centrifugo-ws env CENTRIFUGO_PORT={port} CENTRIFUGO_LOG_LEVEL=warn
//	    CENTRIFUGO_UNI_SSE=true CENTRIFUGO_UNI_WEBSOCKET=true CENTRIFUGO_API_INSECURE=true
//	    CENTRIFUGO_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN=true CENTRIFUGO_ALLOW_SUBSCRIBE_FOR_CLIENT=true
//	    CENTRIFUGO_ALLOW_SUBSCRIBE_FOR_ANONYMOUS=true centrifugo'
//	-also 'mercure mercure-sse env SERVER_NAME=http://127.0.0.1:{port} MERCURE_EXTRA_DIRECTIVES=anonymous
//	    MERCURE_PUBLISHER_JWT_KEY=!ChangeThisMercureHubJWTSecretKey!
//	    MERCURE_SUBSCRIBER_JWT_KEY=!ChangeThisMercureHubJWTSecretKey! mercure run --config Caddyfile'
//
// A stream that breaks is opened anew, and what it missed counts as lost.
//
// # Attacks
//
// bench attack starts a fresh server for each attack, with the limits that its
// command sets. It lets 500 people chat for -before, attacks -for so long, and
// reads the memory again -after that. Every person has a loopback address of
// its own, 127.1.x.y, and reads with a cursor; one posts five messages a second.
// A newcomer asks for /healthz on a fresh connection four times a second, and a
// look that has no answer counts as its limit of 15 s. At the same moments the
// floor is asked, which runs beside the server and is not attacked: what that
// waits for is the machine. The attacker is
// 127.0.0.66, and 127.66.x.y where it takes many.
//
//	go run . attack -help                                  the attacks, and the marks
//	go run . attack -attack none,forwarded -command '…'    some of them
//	go run . attack -attack mix -requests 1000000 -command '…'
//
// A mark that is missed is told in the table and makes the exit status 1:
// -max-memory, -max-health, -max-kept, -max-ratio, and nothing lost, doubled,
// refused to the honest, or answered by a 5xx without a reason. Messages of the
// attacker that the server keeps, as it is meant to, are not in -max-kept: they
// are read from its metric pubsub_history_bytes, if it has that.
//
// Memory is that of the server's processes; what the kernel holds for sockets
// that are not read is not in it. The attackers take their share of this
// machine, which a real stranger brings along: hold a slow /healthz against the
// floor's in the same row, and a slow chat in "polls" against its twenty times more readers.
// All attacks take some 20 minutes, and 20,000 open files (ulimit -n).
//
// # Where things are
//
//	load/       clients, publishers, pacer: the generator, without opinions
//	dialect/    how each server is spoken to
//	target/     starts servers, reads their CPU and memory
//	scenario/   the work, and one result of it
//	report/     median and spread, Markdown, the page
//	attack/     the attacks, and the chat they happen to
//	floor/, golongpoll/   servers to compare with
//
// Read load/clients.go and scenario/fanout.go first, for the attacks
// attack/attack.go and attack/run.go.
package main
