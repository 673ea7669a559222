package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/producers/importer"
	"github.com/millrace-io/millrace/schemas"
)

// Options are the demo's own.
type Options struct {
	// Corpus is the folder of the unpacked package.
	Corpus string
	// Pace multiplies the rate of the replay.
	Pace float64
	// FeedbackShare is the part of the mails that the reader gives a label for, and
	// WrongShare the part of those labels that is wrong: 1 and 0 but for experiments.
	FeedbackShare float64
	WrongShare    float64
}

// Validate says what is wrong with o.
func (o Options) Validate() error {
	if o.Pace <= 0 || o.FeedbackShare < 0 || o.FeedbackShare > 1 || o.WrongShare < 0 || o.WrongShare > 1 {
		return fmt.Errorf("demo: the pace must be above 0 and shares between 0 and 1; got %g, %g, %g", o.Pace, o.FeedbackShare, o.WrongShare)
	}
	return nil
}

// The replay's pace and the reader's habits, in mails.
const (
	mailsPerSecond = 250
	// Feedback comes when this many to twice as many further mails have arrived; one in
	// earlyOneIn at once, before its inference is known.
	feedbackDelay = 100
	earlyOneIn    = 10
	// holdAtMost bounds the wait for a training run: the replay turns weeks into
	// seconds, so a run that takes a second of the real world may not cost it days.
	holdAtMost = 30 * time.Second
	// stepMails is after how many mails the replay waits until the loop has read them
	// and their answers, and used what it learned: a second here is days of that autumn.
	// What a run reports does so not depend on its pace.
	stepMails = 25
)

// gate holds the replay back while a model is being made.
type gate interface {
	// Busy says whether a trigger waits for its run, or a promotion for its use.
	Busy() bool
	// Idle waits until it is not.
	Idle(ctx context.Context) error
	// Caught waits until every stage has read all that was sent.
	Caught(ctx context.Context) error
}

// replay is the mails, and the reader's answers to them, as a source for the importer.
// All but its counters belong to the importer's goroutine.
type replay struct {
	opts      Options
	mails     []message
	begin     int // the first mail behind the labelled stretch
	gate      gate
	inference func(text bus.Position) string // the id of the champion's inference on a text

	due             map[int][]int           // by the mail whose arrival brings them: the mails that are answered
	acked           map[string]bus.Position // by path: where an unanswered text landed
	began           time.Time               // of the paced stretch
	held            atomic.Int64            // nanoseconds
	texts, feedback atomic.Int64            // acknowledged
}

func newReplay(opts Options, mails []message, g gate, inference func(bus.Position) string) *replay {
	r := &replay{opts: opts, mails: mails, gate: g, inference: inference, due: map[int][]int{}, acked: map[string]bus.Position{}}
	for r.begin < len(mails) && mails[r.begin].at.Before(labelledUntil) {
		r.begin++
	}
	return r
}

// hashOf is a fixed pseudo-random number of a mail, so that every run is the same.
func hashOf(path, what string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // never fails
	_, _ = h.Write([]byte(path))
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h.Sum64())
	h.Reset()
	_, _ = h.Write(b[:])
	return h.Sum64()
}

// below is true for a share of the mails.
func below(path, what string, share float64) bool {
	return float64(hashOf(path, what)>>11)/(1<<53) < share
}

func eventID(m *message) string { return fmt.Sprintf("mail-%016x", hashOf(m.path, "id")) }

func text(m *message) *schemas.Text {
	t := &schemas.Text{Data: m.raw, ContentType: "message/rfc822"}
	t.EventID = eventID(m)
	t.EventTime = schemas.MicrosOf(m.at)
	t.Source = "mailbox"
	if m.labelled() {
		t.Label = m.label
	}
	return t
}

// acknowledged notes where a text landed, and counts.
func (r *replay) acknowledged(item importer.Item, at bus.Position) {
	switch item.Event.(type) {
	case *schemas.Text:
		r.texts.Add(1)
		r.acked[item.Place] = at
	case *schemas.Feedback:
		r.feedback.Add(1)
	}
}

// labelled is what came before the paced stretch, the labelled texts among it.
func (r *replay) labelled() iter.Seq2[importer.Item, error] {
	return func(yield func(importer.Item, error) bool) {
		for i := range r.mails[:r.begin] {
			m := &r.mails[i]
			if !yield(importer.Item{Event: text(m), Place: m.path, Bytes: int64(len(m.raw))}, nil) {
				return
			}
		}
	}
}

// stream is the rest at the replay's pace, with the reader's feedback.
func (r *replay) stream(ctx context.Context) iter.Seq2[importer.Item, error] {
	return func(yield func(importer.Item, error) bool) {
		r.began = time.Now()
		for i := r.begin; i < len(r.mails); i++ {
			if err := r.pace(ctx, i-r.begin); err != nil {
				yield(importer.Item{}, err)
				return
			}
			m := &r.mails[i]
			if !yield(importer.Item{Event: text(m), Place: m.path, Bytes: int64(len(m.raw))}, nil) {
				return
			}
			if below(m.path, "given", r.opts.FeedbackShare) {
				when := i
				if hashOf(m.path, "early")%earlyOneIn != 0 {
					when += feedbackDelay + int(hashOf(m.path, "delay")%feedbackDelay)
				}
				r.due[when] = append(r.due[when], i)
			}
			if !r.give(i, yield) {
				return
			}
		}
	}
}

// rest is what the reader has not answered yet when the mails have ended and are all
// acknowledged.
func (r *replay) rest() iter.Seq2[importer.Item, error] {
	return func(yield func(importer.Item, error) bool) {
		for at := len(r.mails) - 1; len(r.due) > 0; at++ {
			if !r.give(at, yield) {
				return
			}
		}
	}
}

// give yields the feedback that the arrival of mail i brings. What answers a text that is
// not acknowledged yet waits for the next mail.
func (r *replay) give(i int, yield func(importer.Item, error) bool) bool {
	answered := r.due[i]
	delete(r.due, i)
	for _, n := range answered {
		m := &r.mails[n]
		at, ok := r.acked[m.path]
		if !ok {
			r.due[i+1] = append(r.due[i+1], n)
			continue
		}
		f := &schemas.Feedback{Label: r.labelFor(m), InferenceID: r.inference(at)}
		f.EventID = "label-" + eventID(m)
		f.Source, f.Subject = "mailbox", "reader"
		f.EventTime = schemas.MicrosOf(m.at)
		delete(r.acked, m.path)
		if !yield(importer.Item{Event: f, Place: m.path}, nil) {
			return false
		}
	}
	return true
}

// pace waits until mail n of the stretch is due, for the loop, and while a model is being
// made.
func (r *replay) pace(ctx context.Context, n int) error {
	if n%stepMails == 0 {
		began := time.Now()
		if err := r.hold(ctx); err != nil {
			return err
		}
		r.held.Add(int64(time.Since(began)))
	}
	due := r.began.Add(time.Duration(r.held.Load()) + time.Duration(float64(n)/(mailsPerSecond*r.opts.Pace)*float64(time.Second)))
	if wait := time.Until(due); wait > time.Millisecond {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return ctx.Err()
}

// hold waits until the loop has nothing left to do; a model that takes longer than
// holdAtMost is not waited for.
func (r *replay) hold(ctx context.Context) error {
	until := time.Now().Add(holdAtMost)
	for {
		if err := r.gate.Caught(ctx); err != nil {
			return err
		}
		if !r.gate.Busy() || time.Now().After(until) {
			return nil
		}
		idle, cancel := context.WithDeadline(ctx, until)
		_ = r.gate.Idle(idle) // at its end it is looked once more
		cancel()
	}
}

// labels are those that a wrong one is taken from.
var labels = []string{labelFeed, labelMail, labelSpam}

func (r *replay) labelFor(m *message) string {
	if !below(m.path, "wrong", r.opts.WrongShare) {
		return m.label
	}
	n := int(hashOf(m.path, "which") % uint64(len(labels)-1))
	for _, l := range labels {
		if l != m.label {
			if n == 0 {
				return l
			}
			n--
		}
	}
	return m.label
}
