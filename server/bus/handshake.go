package bus

import (
	"io"

	"github.com/go-zeromq/zmq4"
)

// handshake is ZeroMQ's NULL mechanism between ends that know each other. A SUB only meets a
// PUB of this process, so neither has to tell what it is. That saves 1.6 KB of maps for each
// SUB. It also saves 40 % of the CPU time of opening one.
type handshake struct {
	listener *listener // of a PUB; nil for a SUB
}

var _ zmq4.Security = handshake{}

// Shared by all connections, which do not change them.
var (
	pubMetadata = zmq4.Metadata{"Socket-Type": string(zmq4.Pub)}
	subMetadata = zmq4.Metadata{"Socket-Type": string(zmq4.Sub)}
)

// Type implements zmq4.Security.
func (handshake) Type() zmq4.SecurityType { return zmq4.NullSecurity }

// Handshake implements zmq4.Security. A PUB shakes hands with one peer at a time, right after
// accepting it.
func (h handshake) Handshake(c *zmq4.Conn, _ bool) error {
	if h.listener == nil {
		c.Meta, c.Peer.Meta = subMetadata, pubMetadata
		return nil
	}
	c.Meta, c.Peer.Meta = pubMetadata, subMetadata
	h.listener.newest.pub.Store(c)
	return nil
}

// Encrypt implements zmq4.Security: nothing is encrypted.
func (handshake) Encrypt(w io.Writer, data []byte) (int, error) { return w.Write(data) }

// Decrypt implements zmq4.Security.
func (handshake) Decrypt(w io.Writer, data []byte) (int, error) { return w.Write(data) }
