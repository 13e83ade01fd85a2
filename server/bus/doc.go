// Package bus tells waiting polls that something was published, over ZeroMQ and
// inside this process. It is the only package that knows zmq4.
//
// A [Bus] is a fixed set of PUB sockets over which channels are spread. A
// [Subscription] is a live SUB socket on one channel. What the PUB sends is a
// ring: the channel and the id of a message, not the message. Nobody receives it
// from the SUB socket either. That a ring came is all that a poll wants to know: it
// reads the log. So a SUB keeps no bytes, and rings that are not yet heard merge.
//
// Between the sockets lies a transport of our own, [link], because go-zeromq/zmq4
// v0.17.0 cannot carry a server on its inproc://. What goes wrong there, and
// what prevents it here:
//
//   - Its inproc never notices a closed peer and keeps it for ever: [link.close]
//     tells the PUB.
//   - Its inproc panics on frames over 255 bytes, because a read drops what does
//     not fit: a link keeps the rest for the next read.
//   - A PUB writes to its SUBs one after another under one lock: a write to a SUB
//     never waits, it leaves a token.
//   - A PUB's own queue has no bound, or drops in silence: [queue] stands before it.
//   - Subscribing is asynchronous: [link.settle] waits until the PUB has read the
//     subscription.
//   - A SUB's reader blocks for ever on a full queue if the socket is closed
//     meanwhile: it reads nothing, and ends before Subscribe returns.
//   - Recv cannot be told to stop without closing the socket: nobody calls it.
//   - It never lets go of what was once on its lists of connections: a closed
//     [Subscription] holds nothing large, and [released] bounds how many wait to be
//     used again.
//   - A closed PUB leaves its writer goroutine behind: [queue.end] ends it.
//
// Where this saves something by what it knows of the insides of zmq4, the saving
// stands beside it, and zmq4_test.go fails when zmq4 changes.
package bus
