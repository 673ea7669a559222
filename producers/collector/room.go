package collector

import (
	"net/http"

	"github.com/millrace-io/millrace/schemas"
)

// What a request holds beside its bytes, as TestHeld measures it: its buffers and what
// unpacks it; for each event, its struct and those of its record and Result; for each
// member of a list or a map, the headers of its strings and its share of the table.
const (
	requestOverhead = 64 << 10
	eventOverhead   = 2 << 10
	memberOverhead  = 96
)

// overhead is what an event holds beside its bytes.
func overhead(m schemas.Message) int64 {
	members := 0
	switch m := m.(type) {
	case *schemas.Text:
		members = len(m.Attributes)
	case *schemas.Inference:
		members = len(m.Attributes) + len(m.RequestStopSequences) + len(m.ResponseFinishReasons)
	case *schemas.Feedback:
		members = len(m.Attributes)
	}
	return eventOverhead + memberOverhead*int64(members)
}

// room is what one request holds of MaxInFlight. It is taken as bytes arrive and events
// are made of them: a client that is slow, or promises much, holds no more than it sent.
type room struct {
	c    *Collector
	held int64
}

func (r *room) take(n int64) error {
	if most := r.c.cfg.largestRequest(); r.held+n > most {
		return refuse(http.StatusRequestEntityTooLarge, "the request takes more than %d bytes to unpack and decode; send its events in several requests", most)
	}
	if r.c.inFlight.Add(n) > r.c.cfg.MaxInFlight {
		r.c.inFlight.Add(-n)
		return refuse(http.StatusTooManyRequests, "too much is at work; send it again in a moment")
	}
	r.held += n
	return nil
}

func (r *room) give(n int64) {
	r.c.inFlight.Add(-n)
	r.held -= n
}

// leave gives back all of it.
func (r *room) leave() { r.give(r.held) }

// largestRequest is the most that one request may hold, so that none is told to come again
// that never fits: its bytes as they came and unpacked, what unpacks them, and its events.
func (c Config) largestRequest() int64 {
	return requestOverhead + zstdHeld + 2*c.MaxBodyBytes + int64(c.MaxEvents)*eventOverhead
}
