package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// cutNet is a network that cuts a connection in place of handing out the reply to one
// request: the broker has done what it was asked for, and nobody is told.
type cutNet struct {
	mu   sync.Mutex
	key  int16
	left int // requests of key until the one whose reply is lost; 0 for none any more
	hits int
}

// dial is for kgo.Dialer.
func (n *cutNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: c, net: n}, nil
}

func (n *cutNet) cuts(key int16) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if key != n.key || n.left == 0 {
		return false
	}
	n.left--
	return n.left == 0
}

func (n *cutNet) hit() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hits++
}

// cutConn follows the frames of Kafka's protocol: four bytes of length, and of a request
// two that say what it is. Replies come in the order of requests.
type cutConn struct {
	net.Conn
	net *cutNet

	mu   sync.Mutex
	cut  []bool // of requests that were sent and not answered yet
	head []byte // the first bytes of the request being written
	rest int    // what of it is still to come

	in     []byte // what was read of a reply's head
	unread int    // what is still to come of a reply
}

var errCut = errors.New("the reply was lost")

// Write implements net.Conn.
func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	for rest := b; len(rest) > 0; {
		if c.rest > 0 {
			n := min(c.rest, len(rest))
			rest, c.rest = rest[n:], c.rest-n
			continue
		}
		n := min(6-len(c.head), len(rest))
		c.head, rest = append(c.head, rest[:n]...), rest[n:]
		if len(c.head) == 6 {
			c.rest = int(binary.BigEndian.Uint32(c.head)) - 2
			c.cut = append(c.cut, c.net.cuts(int16(binary.BigEndian.Uint16(c.head[4:]))))
			c.head = c.head[:0]
		}
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// Read implements net.Conn; kgo reads with one goroutine.
func (c *cutConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 && c.unread == 0 {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		c.in, c.unread = head, int(binary.BigEndian.Uint32(head))
		c.mu.Lock()
		cut := c.cut[0]
		c.cut = c.cut[1:]
		c.mu.Unlock()
		if cut {
			c.net.hit()
			_, _ = io.CopyN(io.Discard, c.Conn, int64(c.unread)) // the broker is through with it
			_ = c.Close()
			return 0, errCut
		}
	}
	if len(c.in) > 0 {
		n := copy(b, c.in)
		c.in = c.in[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b[:min(len(b), c.unread)])
	c.unread -= n
	return n, err
}
