package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// call is one that is at work, and then what its event is made of.
type call struct {
	g       *Gateway
	op      operation
	key     *holder
	tenant  string
	id      string
	header  http.Header     // the client's
	context context.Context // of the way to the upstream
	cancel  context.CancelCauseFunc
	began   time.Time

	asked    string // the model's name, as the client gave it
	model    Model
	request  *request
	upstream *upstream
	attempts int
	status   int // of the answer, 0 where there was none
	answer   *answer
	first    time.Duration // until the first piece of a stream, or the whole answer, began
	took     time.Duration
	failure  string // the event's error_type
	cut      bool
	keep     int   // bytes that are kept of what was asked
	held     int64 // bytes that are accounted for
	cost     float64
}

// serve answers one call, and has its event kept, whatever happens.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, op operation) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		(&refusal{status: http.StatusMethodNotAllowed, kind: kindInvalid, code: "method_not_allowed", message: "POST to " + r.URL.Path}).write(w)
		return
	}
	key := g.keys.of(r.Header)
	if key == nil {
		noKey().write(w)
		return // whose event would it be?
	}
	c := &call{g: g, op: op, key: key, tenant: key.Tenant, header: r.Header, began: g.deps.Clock(), keep: int(g.cfg.MaxCaptureBytes)}
	c.id = g.deps.IDs.New(c.tenant)
	w.Header().Set(headerID, c.id)
	if g.atWork.Add(1) > int64(g.cfg.MaxCalls) {
		g.atWork.Add(-1)
		(&refusal{status: http.StatusTooManyRequests, kind: kindLimit, code: "too_many_calls", message: "the gateway has as many calls at work as it takes; try again in a moment", retryAfter: 1}).write(w)
		return // it never began: an event of each would be the load that this is a refusal of
	}
	defer g.atWork.Add(-1)
	// What a handler panics with, http.ErrAbortHandler among it, is a call all the same.
	defer func() {
		c.took = g.deps.Clock().Sub(c.began)
		c.settle()
		g.recorder.keep(c)
	}()
	if refused := c.run(w, r); refused != nil {
		c.fail(refused.code)
		c.status = refused.status
		refused.write(w)
	}
}

func noKey() *refusal {
	return &refusal{status: http.StatusUnauthorized, kind: kindInvalid, code: "invalid_api_key", message: "come with a key of this gateway: Authorization: Bearer mrk_…"}
}

// settle prices the call, and tells the key what it used.
func (c *call) settle() {
	if c.answer == nil {
		return
	}
	u := c.answer.usage
	c.cost = c.model.Price.cost(u.Prompt, u.Of.Cached, u.Completion)
	c.key.use(c.g.deps.Clock(), u.Prompt+u.Completion, c.cost)
	if c.cost > 0 {
		c.g.metrics.spent.WithLabelValues(c.key.Name).Add(c.cost)
	}
}

// fail notes what went wrong first.
func (c *call) fail(what string) {
	if c.failure == "" {
		c.failure = what
	}
}

// run answers the call, or says how it is refused; nothing was written then.
func (c *call) run(w http.ResponseWriter, r *http.Request) *refusal {
	body, refused := c.read(w, r)
	if refused != nil {
		return refused
	}
	request, err := readRequest(body)
	if err != nil {
		return &refusal{status: http.StatusBadRequest, kind: kindInvalid, code: "invalid_request", message: err.Error()}
	}
	c.request, c.asked = request, request.model
	to, ok := c.g.models[c.asked]
	switch {
	case ok:
	case c.g.any != nil:
		to = *c.g.any
	default:
		return &refusal{status: http.StatusNotFound, kind: kindInvalid, code: "model_not_found", param: "model",
			message: "there is no model " + clean(c.asked, 256) + " (GET /v1/models lists those that there are)"}
	}
	c.model = to.model
	refused, over := c.key.admit(c.began)
	if over {
		c.g.deps.Log.Warn("the budget of a key is used up; its calls go on, since on_budget is warn", "key", c.key.Name, "budget_usd", c.key.BudgetUSD)
	}
	if refused != nil {
		return refused
	}
	if c.model.WhenFull == FailClosed {
		if err := c.g.deps.Room(); err != nil {
			return &refusal{status: http.StatusServiceUnavailable, kind: kindServer, code: "capture_full", message: "no event of the call could be kept: " + err.Error(), retryAfter: 1}
		}
	}
	c.context, c.cancel = context.WithCancelCause(r.Context())
	defer c.cancel(nil)
	resp, refused := c.forward(to.pools)
	if refused != nil {
		return refused
	}
	defer c.upstream.atWork.Add(-1)
	defer resp.Body.Close()
	return c.pass(w, resp)
}

// hold accounts for n bytes, and says whether there was room.
func (c *call) hold(n int64) bool {
	if c.g.held.Add(n) > int64(c.g.cfg.MaxHeldBytes) {
		c.g.held.Add(-n)
		return false
	}
	c.held += n
	return true
}

// release gives all of it back.
func (c *call) release() {
	c.g.held.Add(-c.held)
	c.held = 0
}

// firstRead is what is read of a body of a length that nobody said, at first.
const firstRead = 8 << 10

// read is the body, which is accounted for as it comes: who promises much holds no more than
// was sent.
func (c *call) read(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	most := int64(c.g.cfg.MaxBodyBytes)
	tooLarge := &refusal{status: http.StatusRequestEntityTooLarge, kind: kindInvalid, code: "body_too_large", message: "the body is larger than the gateway takes (gateway.max_body_bytes)"}
	if r.ContentLength > most {
		return nil, tooLarge
	}
	size := min(max(r.ContentLength, 0), 64<<10) + firstRead
	var body []byte
	in := http.MaxBytesReader(w, r.Body, most)
	for {
		if len(body) == cap(body) {
			grown := max(size, 2*int64(cap(body)))
			if !c.hold(grown - int64(cap(body))) {
				return nil, &refusal{status: http.StatusTooManyRequests, kind: kindLimit, code: "too_much_at_work", message: "the gateway holds as much as it may; try again in a moment", retryAfter: 1}
			}
			body = append(make([]byte, 0, grown), body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var tooMuch *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case errors.As(err, &tooMuch):
			return nil, tooLarge
		case err != nil:
			return nil, &refusal{status: http.StatusBadRequest, kind: kindInvalid, code: "body_cut", message: "the body ended early: " + err.Error()}
		}
	}
}

// errHead and errIdle say why a call was given up.
var (
	errHead = errors.New("the upstream did not begin to answer in time")
	errIdle = errors.New("the upstream stood still within its answer")
)

// forward tries upstreams until one answers, and counts the call as at work there. Where
// none else can be tried, the last one's own answer goes back.
func (c *call) forward(pools [][]*upstream) (*http.Response, *refusal) {
	c.g.retries.call()
	body := c.request.as(c.model.As)
	var tried []*upstream
	u := c.g.choose(pools, tried)
	if u == nil {
		return nil, &refusal{status: http.StatusServiceUnavailable, kind: kindUpstream, code: "no_upstream", message: "no upstream can take the call now", retryAfter: 1}
	}
	for {
		c.attempts++
		tried, c.upstream = append(tried, u), u
		resp, refused, again := c.send(u, body)
		if !again || c.attempts > c.g.cfg.Retries.Most {
			return resp, refused
		}
		if u = c.g.choose(pools, tried); u == nil || !c.g.retries.retry() {
			return resp, refused
		}
		if resp != nil {
			_ = resp.Body.Close() // whatever it says, another is asked
			c.upstream.atWork.Add(-1)
		}
		c.g.metrics.retried.Inc()
	}
}

// send asks one upstream. again says that it did not begin to work on the call.
func (c *call) send(u *upstream, body []byte) (resp *http.Response, refused *refusal, again bool) {
	out, err := c.g.newRequest(c.context, http.MethodPost, c.header, u, c.op.path, body)
	if err != nil {
		return nil, &refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "upstream_unreachable", message: err.Error()}, false
	}
	u.atWork.Add(1)
	late := time.AfterFunc(c.g.cfg.HeadTimeout, func() { c.cancel(errHead) })
	began := c.g.deps.Clock()
	resp, err = c.g.transport.RoundTrip(out)
	late.Stop()
	now := c.g.deps.Clock()
	if err != nil {
		u.atWork.Add(-1)
		refused, again = c.unreached(u, err)
		if refused.code != "client_closed" {
			u.report(false, now)
		}
		return nil, refused, again
	}
	c.g.metrics.seconds.WithLabelValues(u.name).Observe(now.Sub(began).Seconds())
	u.report(resp.StatusCode < http.StatusInternalServerError, now)
	return resp, nil, resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
}

// unreached is what became of a call that got no answer. One whose upstream was never reached
// may be tried again.
func (c *call) unreached(u *upstream, err error) (*refusal, bool) {
	var op *net.OpError
	switch {
	case errors.Is(context.Cause(c.context), errHead):
		return &refusal{status: http.StatusGatewayTimeout, kind: kindUpstream, code: "upstream_timeout", message: errHead.Error()}, false
	case c.context.Err() != nil:
		return &refusal{status: 499, kind: kindInvalid, code: "client_closed", message: "the client hung up"}, false
	case errors.As(err, &op) && op.Op == "dial":
		return &refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "upstream_unreachable", message: "the upstream " + u.name + " cannot be reached"}, true
	}
	return &refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "upstream_reset", message: "the upstream " + u.name + " broke the call off before it answered"}, false
}

// ours are the headers of a request that do not go on: those of this connection, those that
// the gateway sets, and its own.
var ours = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Accept-Encoding", "Content-Length", "Host", "Cookie", headerSubject, headerSession, headerPrompt, headerSource}

// newRequest is what an upstream gets of a client's request.
func (g *Gateway) newRequest(ctx context.Context, method string, from http.Header, u *upstream, path string, body []byte) (*http.Request, error) {
	out, err := http.NewRequestWithContext(ctx, method, u.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = from.Clone()
	for _, named := range from.Values("Connection") {
		for name := range strings.SplitSeq(named, ",") {
			out.Header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range ours {
		out.Header.Del(name)
	}
	if g.keys.none == nil {
		out.Header.Del("Authorization") // it is a key to this gateway, and nobody else's business
	}
	if u.cfg.Key != "" {
		out.Header.Set("Authorization", "Bearer "+string(u.cfg.Key))
	}
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // and not Go's own
	}
	return out, nil
}
