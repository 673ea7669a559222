package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// recorder makes events of the calls that were answered, and sees to it that each is kept or
// counted as a gap.
type recorder struct {
	g       *Gateway
	makers  int
	calls   chan *call
	sent    chan *keeping
	over    chan struct{}  // closed when nothing is waited for any more
	patient sync.WaitGroup // events that wait for room
	mu      sync.Mutex
	gaps    map[gap]int64 // that no event was kept of yet
}

// gap is what is known of calls without an event.
type gap struct{ tenant, model string }

// keeping is an event whose keeping is under way.
type keeping struct {
	event  *schemas.Inference
	result *client.Result
	closed bool  // its model says that no call is without its event
	gaps   int64 // of a gap's event
}

// Bounds of the recorder.
const (
	mostWaiting = 1024 // calls that are answered and no event yet; further ones make theirs themselves
	mostSent    = 4096 // events that are not kept yet
	gapEvery    = time.Second
	keepTimeout = time.Minute // for an event of a model that fails closed
	keepPause   = 50 * time.Millisecond
)

func newRecorder(g *Gateway, makers int) *recorder {
	return &recorder{g: g, makers: makers, calls: make(chan *call, mostWaiting), sent: make(chan *keeping, mostSent), over: make(chan struct{}), gaps: map[gap]int64{}}
}

// keep has the call's event kept. It waits only where more calls are answered than events
// made.
func (r *recorder) keep(c *call) {
	outcome, upstream := "ok", ""
	if c.failure != "" {
		outcome = c.failure
	}
	if c.upstream != nil {
		upstream = c.upstream.name
	}
	r.g.metrics.calls.WithLabelValues(upstream, known(outcome)).Inc()
	select {
	case r.calls <- c:
	default:
		r.send(c)
	}
}

// known is an outcome that is the gateway's own, so that an upstream cannot make metrics.
func known(outcome string) string {
	switch outcome {
	case "ok", "client_closed", "upstream_reset", "upstream_timeout", "upstream_incomplete", "upstream_invalid", "upstream_unreachable",
		"no_upstream", "model_not_found", "invalid_request", "body_cut", "body_too_large", "too_much_at_work", "capture_full", "rate_limit_exceeded", "budget_used_up":
		return outcome
	}
	return "upstream_error"
}

// run keeps events until ctx ends, and then those in hand once drained returns.
func (r *recorder) run(ctx context.Context, drained func()) {
	var makers, waiter sync.WaitGroup
	noCalls, noneSent := make(chan struct{}), make(chan struct{})
	for range r.makers {
		makers.Go(func() { work(r.calls, noCalls, r.send) })
	}
	waiter.Go(func() { work(r.sent, noneSent, r.settle) })
	tick := time.NewTicker(gapEvery)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-tick.C:
			r.tellGaps()
		}
	}
	drained()
	close(noCalls)
	makers.Wait()
	close(r.over)
	r.patient.Wait()
	r.tellGaps()
	close(noneSent)
	waiter.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, n := range r.gaps {
		r.g.deps.Log.Error("calls have neither an event nor a place in a count: there is no room at the end", "model", at.model, "calls", n)
	}
}

// work does what comes, and, when no more is to come, what is there.
func work[T any](in <-chan T, end <-chan struct{}, do func(T)) {
	for {
		select {
		case v := <-in:
			do(v)
		case <-end:
			for {
				select {
				case v := <-in:
					do(v)
				default:
					return
				}
			}
		}
	}
}

// send makes the call's event and writes it.
func (r *recorder) send(c *call) {
	e := c.event()
	if c.model.Capture == CaptureRedacted {
		r.g.deps.Rules.Inference(e)
	}
	closed := c.model.WhenFull == FailClosed
	c.release()
	r.write(&keeping{event: e, closed: closed})
}

// write writes an event. One that must not be missed waits for room, beside the others.
func (r *recorder) write(k *keeping) {
	err := r.try(k)
	switch {
	case err == nil:
	case k.closed && errors.Is(err, client.ErrFull):
		r.patient.Go(func() { r.wait(k, err) })
	default:
		r.miss(k, err)
	}
}

func (r *recorder) try(k *keeping) (err error) {
	if k.result, err = r.g.deps.Client.Inference(context.Background(), k.event); err == nil {
		r.sent <- k
	}
	return err
}

// wait tries again until there is room, or none for too long, or the gateway ends.
func (r *recorder) wait(k *keeping, err error) {
	for end := time.Now().Add(keepTimeout); errors.Is(err, client.ErrFull) && time.Now().Before(end); {
		select {
		case <-r.over:
			end = time.Now() // once more
		case <-time.After(keepPause):
		}
		err = r.try(k)
	}
	if err != nil {
		r.miss(k, err)
	}
}

// settle waits until an event is kept.
func (r *recorder) settle(k *keeping) {
	if err := k.result.Wait(context.Background()); err != nil {
		r.miss(k, err)
	}
}

// miss counts a call as one without an event.
func (r *recorder) miss(k *keeping, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := gap{k.event.Tenant, k.event.RequestModel}
	if k.gaps > 0 {
		r.gaps[at] += k.gaps
		return
	}
	r.g.metrics.gaps.Inc()
	if r.gaps[at]++; r.gaps[at] == 1 {
		r.g.deps.Log.Warn("a call's event was not kept, and is counted instead", "model", at.model, "error", err)
	}
}

// tellGaps writes an event of each gap.
func (r *recorder) tellGaps() {
	if r.g.deps.Room() != nil {
		return
	}
	r.mu.Lock()
	gaps := r.gaps
	r.gaps = map[gap]int64{}
	r.mu.Unlock()
	for at, n := range gaps {
		e := &schemas.Inference{OperationName: operationGap, RequestModel: at.model, CaptureGap: n}
		e.Tenant, e.EventTime = at.tenant, schemas.MicrosOf(r.g.deps.Clock())
		r.write(&keeping{event: e, gaps: n})
	}
}

// operationGap is the operation_name of an event that counts calls without one.
const operationGap = "capture_gap"
