// Package bus carries published messages to waiting polls over ZeroMQ, inside
// this process. It is the only package that knows zmq4.
//
// A [Bus] is a fixed set of PUB sockets over which channels are spread; a
// [Subscription] is a live SUB socket on one channel. Between them lies a
// transport of our own, because go-zeromq/zmq4 v0.17.0 cannot carry a server
// on its inproc://. What it does there, and what holds it off here:
//
//   - Its inproc never notices a closed peer and keeps it for ever: [pipe]
//     has ordinary net.Conn behaviour, and an error on it is a net.Error,
//     which is what makes zmq4 forget the peer.
//   - Its inproc panics on frames over 255 bytes, because a read drops what
//     does not fit: a pipe keeps the rest for the next read.
//   - A PUB writes to its subscribers one after another under one lock: a
//     write to a SUB never waits, since a SUB holds one message that was not
//     seen and drops those behind it; one is enough to come for all.
//   - A PUB's own queue has no bound, or drops in silence: [queue] stands before
//     it, in which the messages of one channel merge.
//   - Subscribing is asynchronous: Subscribe returns when the PUB's end has
//     read everything that the SUB wrote and is waiting for more.
//   - A SUB's reader blocks for ever on a full queue if the socket is closed
//     meanwhile: [gate] lets one message through for each Recv, so that queue
//     never fills, and unread messages can be dropped when a SUB is reused.
//   - Recv cannot be told to stop without closing the socket: one waits before
//     the gate, on Ready, and receives only what Look has seen there.
//   - It never lets go of what was once on its lists of connections: SUBs that
//     nobody needs any more are closed a few at a time, and [usage] bounds how
//     many may wait to be used again.
//   - A closed PUB leaves its writer goroutine behind: Close ends it from the
//     inside, see [shard.close].
package bus
