package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pieceBytes is how much of an answer is passed on at a time.
const pieceBytes = 4 << 10

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// pass gives the client the upstream's answer as it comes, and reads it beside that.
func (c *call) pass(w http.ResponseWriter, resp *http.Response) *refusal {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // "" where it is none
	streams := media == "text/event-stream"
	if !streams && media != "application/json" {
		return &refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "upstream_invalid",
			message: fmt.Sprintf("the upstream %s answered %d with %q, which is neither JSON nor a stream of events", c.upstream.name, resp.StatusCode, clean(media, 64))}
	}
	c.status = resp.StatusCode
	c.answer = &answer{most: int(c.g.cfg.MaxCaptureBytes)}
	header := w.Header()
	for name, values := range resp.Header {
		if !hopByHop(name) {
			header[name] = values
		}
	}
	header.Set(headerID, c.id)
	w.WriteHeader(resp.StatusCode)
	if streams {
		_ = http.NewResponseController(w).Flush() // the first piece may be long in coming
		c.passStream(w, resp.Body)
	} else {
		c.passWhole(w, resp.Body)
	}
	if c.status >= http.StatusBadRequest {
		c.fail(cmp.Or(c.answer.err, fmt.Sprintf("status_%d", c.status)))
	}
	if c.answer.err != "" {
		c.fail(c.answer.err)
	}
	if c.answer.invalid {
		c.fail("upstream_invalid")
	}
	return nil
}

func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Set-Cookie":
		return true
	}
	return false
}

// copyTo passes what comes of body on to w and to read, each piece at once. It gives up
// when either side stands still for too long.
func (c *call) copyTo(w http.ResponseWriter, body io.Reader, read func([]byte)) error {
	buffer := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(buffer)
	out := http.NewResponseController(w)
	idle := time.AfterFunc(c.g.cfg.IdleTimeout, func() { c.cancel(errIdle) })
	defer idle.Stop()
	for {
		n, err := body.Read(buffer[:])
		if n > 0 {
			if c.first == 0 {
				c.first = c.g.deps.Clock().Sub(c.began)
			}
			idle.Reset(c.g.cfg.IdleTimeout)
			read(buffer[:n])
			if err := out.SetWriteDeadline(time.Now().Add(c.g.cfg.IdleTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return &clientError{err}
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				return &clientError{err}
			}
			if err := out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return &clientError{err}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// clientError is one of the client's side.
type clientError struct{ error }

// broken notes what broke an answer off, and says whether the client is still there.
func (c *call) broken(err error) bool {
	var client *clientError
	switch {
	case errors.As(err, &client):
		c.fail("client_closed")
		return false
	case errors.Is(context.Cause(c.context), errIdle):
		c.fail("upstream_timeout")
		return true
	case c.context.Err() != nil:
		c.fail("client_closed")
		return false
	}
	c.fail("upstream_reset")
	c.upstream.report(false, c.g.deps.Clock())
	return true
}

func (c *call) passStream(w http.ResponseWriter, body io.Reader) {
	s := &stream{answer: c.answer}
	before := 0
	err := c.copyTo(w, body, func(p []byte) {
		_, _ = s.Write(p) // it never fails
		if n := c.answer.held + cap(s.line); n > before {
			if !c.hold(int64(n - before)) {
				c.answer.most = c.answer.held // no more is kept
			}
			before = n
		}
	})
	if err != nil && c.broken(err) {
		// What the client's library reads as the error that it is.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lastWords)) // without it the write tells
		e := &refusal{kind: kindUpstream, code: c.failure, message: "the upstream broke its answer off"}
		_, _ = fmt.Fprintf(w, "\n\ndata: %s\n\n", e.body()) // a client that is gone needs no answer
		return
	}
	if err == nil && !c.answer.done && c.status < http.StatusBadRequest {
		c.fail("upstream_incomplete")
	}
}

// lastWords is how long a client may take to take in why its answer ended early.
const lastWords = 5 * time.Second

// maxWhole bounds what is held of an answer that is one JSON, before it is read. Of a larger
// one the end is read, where its usage is.
const (
	maxWhole = 2 << 20
	tailSize = 1 << 10
)

func (c *call) passWhole(w http.ResponseWriter, body io.Reader) {
	var whole, tail []byte
	err := c.copyTo(w, body, func(p []byte) {
		if !c.answer.cut && len(whole)+len(p) <= maxWhole && c.hold(int64(len(p))) {
			whole = append(whole, p...)
			return
		}
		c.answer.cut = true
		tail = append(tail, p...)
		tail = append(tail[:0], tail[max(0, len(tail)-tailSize):]...)
	})
	switch {
	case err != nil:
		if c.broken(err) {
			panic(http.ErrAbortHandler) // the client sees that the answer has no end
		}
	case c.answer.cut:
		if _, usage, ok := strings.Cut(string(tail), `"usage"`); ok {
			c.answer.read([]byte(`{"usage"` + strings.TrimRight(usage, " \r\n")))
			c.answer.invalid = false // what stands behind the usage need not be whole
		}
	default:
		c.answer.read(whole)
	}
}

// passList answers GET /v1/models with an upstream's own answer.
func (g *Gateway) passList(w http.ResponseWriter, r *http.Request) {
	refuse := func(message string) {
		(&refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "no_upstream", message: message, retryAfter: 1}).write(w)
	}
	u := g.choose(g.any.pools, nil)
	if u == nil {
		refuse("there is no upstream: name one in gateway.upstreams")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), dialTimeout)
	defer cancel()
	out, err := g.newRequest(ctx, http.MethodGet, r.Header, u, "/models", nil)
	if err != nil {
		refuse(err.Error())
		return
	}
	resp, err := g.transport.RoundTrip(out)
	if err != nil {
		refuse("the upstream " + u.name + " cannot be reached")
		return
	}
	defer resp.Body.Close()
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(resp.Body, maxWhole)) // a client that is gone needs no answer
}
