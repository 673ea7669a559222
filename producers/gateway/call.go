package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
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
	header  http.Header // the client's
	context context.Context
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

// settle tells the key what the call used.
func (c *call) settle() {
	if c.answer == nil {
		return
	}
	u := c.answer.usage
	usd := c.model.Price.cost(u.Prompt, u.Of.Cached, u.Completion)
	c.key.use(c.g.deps.Clock(), u.Prompt+u.Completion, usd)
	if usd > 0 {
		c.g.metrics.spent.WithLabelValues(c.key.Name).Add(usd)
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
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	c.context = ctx
	resp, refused := c.forward(ctx, cancel, to.pools)
	if refused != nil {
		return refused
	}
	defer c.upstream.atWork.Add(-1)
	defer resp.Body.Close()
	return c.pass(w, resp, cancel)
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

// forward tries upstreams until one answers, and counts the call as at work there.
func (c *call) forward(ctx context.Context, cancel context.CancelCauseFunc, pools [][]*upstream) (*http.Response, *refusal) {
	c.g.retries.call()
	body := c.request.as(c.model.As)
	var tried []*upstream
	var last *refusal
	for {
		u := c.g.choose(pools, tried)
		if u == nil {
			if last == nil {
				last = &refusal{status: http.StatusServiceUnavailable, kind: kindUpstream, code: "no_upstream", message: "no upstream can take the call now", retryAfter: 1}
			}
			return nil, last
		}
		if last != nil {
			if len(tried) > c.g.cfg.Retries.Most || !c.g.retries.retry() {
				return nil, last
			}
			c.g.metrics.retried.Inc()
		}
		c.attempts++
		tried = append(tried, u)
		c.upstream = u
		resp, refused, again := c.send(ctx, cancel, u, body)
		if refused == nil {
			return resp, nil
		}
		if last = refused; !again {
			return nil, last
		}
	}
}

// send asks one upstream. again says that it did not begin to work on the call.
func (c *call) send(ctx context.Context, cancel context.CancelCauseFunc, u *upstream, body []byte) (resp *http.Response, refused *refusal, again bool) {
	out, err := newRequest(ctx, c.header, c.g.keys.none != nil, u, c.op.path, body)
	if err != nil {
		return nil, &refusal{status: http.StatusBadGateway, kind: kindUpstream, code: "upstream_unreachable", message: err.Error()}, false
	}
	u.atWork.Add(1)
	late := time.AfterFunc(c.g.cfg.HeadTimeout, func() { cancel(errHead) })
	began := c.g.deps.Clock()
	resp, err = c.g.transport.RoundTrip(out)
	late.Stop()
	now := c.g.deps.Clock()
	if err != nil {
		u.atWork.Add(-1)
		refused, again = c.unreached(ctx, u, err)
		if refused.code != "client_closed" {
			u.report(false, now)
		}
		return nil, refused, again
	}
	c.g.metrics.seconds.WithLabelValues(u.name).Observe(now.Sub(began).Seconds())
	busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
	u.report(resp.StatusCode < http.StatusInternalServerError, now)
	if busy && c.attempts <= c.g.cfg.Retries.Most && c.elsewhere(u) {
		_ = resp.Body.Close() // whatever it says, another is asked
		u.atWork.Add(-1)
		return nil, &refusal{status: resp.StatusCode, kind: kindUpstream, code: "upstream_busy", message: "the upstream " + u.name + " is busy", retryAfter: 1}, true
	}
	return resp, nil, false
}

// elsewhere says whether another upstream than u may have room for the call.
func (c *call) elsewhere(u *upstream) bool {
	pools := c.g.any
	if to, ok := c.g.models[c.asked]; ok {
		pools = &to
	}
	return slices.ContainsFunc(pools.pools, func(pool []*upstream) bool {
		return slices.ContainsFunc(pool, func(other *upstream) bool { return other != u && other.able(c.g.deps.Clock()) })
	})
}

// unreached is what became of a call that got no answer. One whose upstream was never reached
// may be tried again.
func (c *call) unreached(ctx context.Context, u *upstream, err error) (*refusal, bool) {
	var op *net.OpError
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errHead):
		return &refusal{status: http.StatusGatewayTimeout, kind: kindUpstream, code: "upstream_timeout", message: errHead.Error()}, false
	case ctx.Err() != nil:
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

// newRequest is what an upstream gets. theirs says that the client's own key goes on.
func newRequest(ctx context.Context, from http.Header, theirs bool, u *upstream, path string, body []byte) (*http.Request, error) {
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url+path, strings.NewReader(""))
	if err != nil {
		return nil, err
	}
	out.Body, out.ContentLength = io.NopCloser(newReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(newReader(body)), nil }
	out.Header = from.Clone()
	for _, named := range from.Values("Connection") {
		for name := range strings.SplitSeq(named, ",") {
			out.Header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range ours {
		out.Header.Del(name)
	}
	if !theirs {
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
