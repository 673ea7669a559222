package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
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
)

// Poster writes events to the input topics, and says where a text landed.
type Poster interface {
	Text(ctx context.Context, t *schemas.Text) (bus.Position, error)
	Feedback(ctx context.Context, f *schemas.Feedback) error
	// Flush waits until everything that was posted is acknowledged.
	Flush(ctx context.Context) error
}

// Loop is what the replay sees of the system.
type Loop interface {
	// Idle waits until no training run is in flight and what was promoted is in use.
	Idle(ctx context.Context) error
	// Busy says whether a trigger waits for its run, or a promotion for its use.
	Busy() bool
	// Champion waits for the first champion.
	Champion(ctx context.Context) error
}

// replay posts the mails in the order of their arrival.
type replay struct {
	opts      Options
	mails     []message
	post      Poster
	loop      Loop
	inference func(text bus.Origin) string // the id of the champion's inference on a text

	due      map[int][]*schemas.Feedback // by the mail whose arrival brings them
	Posted   progressCount
	Held     time.Duration
	holds    int
	labels   []string // for wrong labels
	started  time.Time
	onChange func()
}

type progressCount struct{ Texts, Feedback int }

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

func (r *replay) text(m *message) *schemas.Text {
	t := &schemas.Text{Data: m.raw, ContentType: "message/rfc822"}
	t.EventID = eventID(m)
	t.EventTime = schemas.MicrosOf(m.at)
	t.Source = "mailbox"
	if m.labelled() {
		t.Label = m.label
	}
	return t
}

// run posts everything: the labelled stretch as fast as it is taken, the rest at the
// replay's pace, with the reader's feedback.
func (r *replay) run(ctx context.Context) error {
	r.due = map[int][]*schemas.Feedback{}
	r.labels = []string{labelFeed, labelMail, labelSpam}
	i := 0
	for ; i < len(r.mails) && r.mails[i].at.Before(labelledUntil); i++ {
		if _, err := r.post.Text(ctx, r.text(&r.mails[i])); err != nil {
			return err
		}
		r.Posted.Texts++
	}
	if err := r.post.Flush(ctx); err != nil {
		return err
	}
	if err := r.loop.Champion(ctx); err != nil {
		return fmt.Errorf("demo: wait for the first model: %w", err)
	}
	r.started = time.Now()
	begin := i
	for ; i < len(r.mails); i++ {
		if err := r.pace(ctx, i-begin); err != nil {
			return err
		}
		if err := r.one(ctx, i); err != nil {
			return err
		}
	}
	// The reader answers what is left when the mails have ended.
	for at := i; len(r.due) > 0; at++ {
		if err := r.give(ctx, at); err != nil {
			return err
		}
	}
	if err := r.post.Flush(ctx); err != nil {
		return err
	}
	return r.loop.Idle(ctx)
}

// pace waits until mail n of the replay is due, and while a model is being trained.
func (r *replay) pace(ctx context.Context, n int) error {
	if r.loop.Busy() {
		began := time.Now()
		hold, cancel := context.WithTimeout(ctx, holdAtMost)
		err := r.loop.Idle(hold)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			r.holds++
		}
		r.Held += time.Since(began)
	}
	due := r.started.Add(r.Held + time.Duration(float64(n)/(mailsPerSecond*r.opts.Pace)*float64(time.Second)))
	if wait := time.Until(due); wait > time.Millisecond {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return ctx.Err()
}

func (r *replay) one(ctx context.Context, i int) error {
	m := &r.mails[i]
	at, err := r.post.Text(ctx, r.text(m))
	if err != nil {
		return err
	}
	r.Posted.Texts++
	if below(m.path, "given", r.opts.FeedbackShare) {
		f := &schemas.Feedback{Label: r.labelFor(m)}
		f.EventID = "label-" + eventID(m)
		f.InferenceID = r.inference(bus.Origin{TopicID: at.TopicID, Partition: at.Partition.Partition, Offset: at.Offset})
		f.Source, f.Subject = "mailbox", "reader"
		f.EventTime = schemas.MicrosOf(m.at)
		when := i
		if hashOf(m.path, "early")%earlyOneIn != 0 {
			when += feedbackDelay + int(hashOf(m.path, "delay")%feedbackDelay)
		}
		r.due[when] = append(r.due[when], f)
	}
	return r.give(ctx, i)
}

// give posts the feedback that the arrival of mail i brings.
func (r *replay) give(ctx context.Context, i int) error {
	for _, f := range r.due[i] {
		if err := r.post.Feedback(ctx, f); err != nil {
			return err
		}
		r.Posted.Feedback++
	}
	delete(r.due, i)
	return nil
}

func (r *replay) labelFor(m *message) string {
	if !below(m.path, "wrong", r.opts.WrongShare) {
		return m.label
	}
	n := int(hashOf(m.path, "which") % uint64(len(r.labels)-1))
	for _, l := range r.labels {
		if l != m.label {
			if n == 0 {
				return l
			}
			n--
		}
	}
	return m.label
}
