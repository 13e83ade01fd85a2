// Package bus tells waiting polls that a message was published, over ZeroMQ inside this
// process. No other package uses zmq4.
//
// A [Bus] spreads channels over a fixed set of PUB sockets. A [Subscription] is a live SUB
// socket on one channel. A PUB sends rings: the channel and the id of a message, but not the
// message. Nobody receives a ring from the SUB socket: a poll needs to know only that one has
// come, as it then reads the log. So a SUB keeps no bytes, and rings merge until they are
// heard.
//
// The sockets are connected by a transport of this package, [link], because go-zeromq/zmq4
// v0.17.0 cannot carry a server on its inproc://. Its faults, and what this package does
// about each:
//
//   - Its inproc keeps a closed peer for ever: [link.close] tells the PUB.
//   - Its inproc panics on frames over 255 bytes, because a read drops what does not fit:
//     a link keeps the rest for the next read.
//   - A PUB writes to its SUBs one after another under one lock: a write to a SUB leaves a
//     token and never waits.
//   - The queue of a PUB has no bound, or drops without a word: [queue] bounds it.
//   - Subscribing is asynchronous: [link.settle] waits until the PUB has read the
//     subscription.
//   - The reader of a SUB hangs on a full queue if the socket is closed meanwhile: the
//     reader reads nothing, and ends before Subscribe returns.
//   - Recv cannot be stopped without closing the socket: nobody calls it.
//   - Its lists of connections never free anything: a closed [Subscription] holds nothing
//     large, and [pool] bounds how many are kept.
//   - A closed PUB leaves its writer goroutine behind: [queue.end] ends it.
//
// Where this package relies on the inside of zmq4 to save something, a comment says so, and
// zmq4_test.go fails when zmq4 changes.
package bus
