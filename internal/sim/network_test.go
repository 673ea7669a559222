//go:build synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// network is one in memory, on which hosts reach listeners by their addresses.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
}

type listener struct {
	network *network
	addr    address
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

type address string

// Network implements net.Addr.
func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// listen is for kfake.ListenFn.
func (n *network) listen(_, addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if port == "0" {
		addr = fmt.Sprintf("%s:%d", host, 1000+len(n.listeners))
	}
	l := &listener{network: n, addr: address(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// host is what one process has of the network. It can be cut off for good, as the process
// dies, or stand still for a while.
type host struct {
	network *network

	mu      sync.Mutex
	random  *rand.Rand
	conns   map[*conn]bool
	dead    bool
	resumed chan struct{} // closed while the host runs
	lossy   float64       // how likely a connection breaks at one write of either side
}

func (n *network) host(random *rand.Rand) *host {
	running := make(chan struct{})
	close(running)
	return &host{network: n, random: random, conns: map[*conn]bool{}, resumed: running}
}

var errDead = errors.New("the process is dead")

// refusal is how long a dead process's client waits for the answer that there is no way.
const refusal = 100 * time.Millisecond

// dial is for kgo.Dialer.
func (h *host) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	h.network.mu.Lock()
	l := h.network.listeners[addr]
	h.network.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("nobody listens on %s", addr)
	}
	up, down := newPipe(), newPipe()
	here := &conn{host: h, in: down, out: up, remote: l.addr}
	there := &conn{host: h, in: up, out: down, remote: "client:1"}
	h.mu.Lock()
	dead := h.dead
	if !dead {
		h.conns[here] = true
	}
	h.mu.Unlock()
	if dead {
		time.Sleep(refusal) // at an error at once franz-go would ask again at once, and time stand still
		return nil, errDead
	}
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// die cuts the process off for good.
func (h *host) die() {
	h.mu.Lock()
	h.dead = true
	h.mu.Unlock()
	h.cut()
}

func (h *host) isDead() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dead
}

// cut breaks all connections: what was sent may have been taken, and what was answered is
// lost.
func (h *host) cut() {
	h.mu.Lock()
	all := h.conns
	h.conns = map[*conn]bool{}
	h.mu.Unlock()
	for c := range all {
		_ = c.Close()
	}
}

// pause makes the process stand still where it sends or receives, until resume.
func (h *host) pause() (resume func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gate := make(chan struct{})
	h.resumed = gate
	return func() { close(gate) }
}

// wait returns when the process is not paused.
func (h *host) wait() {
	h.mu.Lock()
	gate := h.resumed
	h.mu.Unlock()
	<-gate
}

// breaks says whether a connection breaks now, and whether what is being written arrives.
func (h *host) breaks() (breaks, arrives bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lossy == 0 || h.random.Float64() >= h.lossy {
		return false, true
	}
	return true, h.random.IntN(2) == 0
}

func (h *host) setLossy(p float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lossy = p
}

// conn is one end of a connection.
type conn struct {
	host    *host
	in, out *pipe
	remote  address
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	if c.remote != "client:1" {
		c.host.wait()
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if c.remote != "client:1" {
		c.host.wait()
	}
	breaks, arrives := c.host.breaks()
	if !arrives {
		_ = c.Close()
		return 0, errCut
	}
	n, err := c.out.write(b)
	if breaks {
		c.out.drain()
		_ = c.Close()
		return 0, errCut
	}
	return n, err
}

var errCut = errors.New("the connection was cut")

// Close implements net.Conn.
func (c *conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

// LocalAddr and the others implement net.Conn.
func (c *conn) LocalAddr() net.Addr               { return address("local:1") }
func (c *conn) RemoteAddr() net.Addr              { return c.remote }
func (c *conn) SetReadDeadline(t time.Time) error { c.in.setReadDeadline(t); return nil }
func (c *conn) SetWriteDeadline(time.Time) error  { return nil } // a write never waits
func (c *conn) SetDeadline(t time.Time) error     { return c.SetReadDeadline(t) }

// pipe carries bytes one way, as many as are written.
type pipe struct {
	mu       sync.Mutex
	data     []byte
	closed   bool
	deadline time.Time
	changed  chan struct{} // closed, and made anew, when anything changes
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) close()                      { p.change(func() { p.closed = true }) }
func (p *pipe) setReadDeadline(t time.Time) { p.change(func() { p.deadline = t }) }

func (p *pipe) write(b []byte) (n int, err error) {
	p.change(func() {
		if p.closed {
			err = io.ErrClosedPipe
			return
		}
		p.data = append(p.data, b...)
		n = len(b)
	})
	return n, err
}

// drain waits until everything was read, or nobody will.
func (p *pipe) drain() {
	for {
		p.mu.Lock()
		done, changed := len(p.data) == 0 || p.closed, p.changed
		p.mu.Unlock()
		if done {
			return
		}
		<-changed
	}
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		n := copy(b, p.data)
		p.data = p.data[n:]
		closed, deadline, changed := p.closed, p.deadline, p.changed
		p.mu.Unlock()
		switch {
		case n > 0:
			p.change(func() {})
			return n, nil
		case closed:
			return 0, io.EOF
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}
