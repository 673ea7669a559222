package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/deadletters"
)

// Bounds of what is replayed at once.
const (
	replayLetters = 500
	replayBytes   = 32 << 20
)

// replayer replays letters, some at once.
type replayer struct {
	*letterCommand
	batch           []*bus.Letter
	bytes           int
	done, notStored int
	refused         []error // of letters that cannot be replayed; the others are
}

func (c *letterCommand) replay(ctx context.Context, origins []bus.Position) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	r := &replayer{letterCommand: c}
	err := c.each(ctx, origins, func(l *bus.Letter) error { return r.take(ctx, l) })
	if err == nil {
		err = r.flush(ctx)
	}
	if _, printed := fmt.Fprintf(c.w, "%s replayed\n", console.Count(int64(r.done))); err == nil {
		err = printed
	}
	if r.notStored > 0 {
		err = errors.Join(err, fmt.Errorf("%s were left out: ClickHouse holds no dead verdict on them. The sink has not reached them yet (millrace status), or another version judged them since", console.Count(int64(r.notStored))))
	}
	return errors.Join(append([]error{err}, r.refused...)...)
}

// take puts a letter into the batch, if it is to be replayed.
func (r *replayer) take(ctx context.Context, l *bus.Letter) error {
	status := r.status(l)
	if r.all && status != "open" {
		return nil
	}
	if status == deadletters.Replayed {
		m, _, err := deadletters.Get(ctx, r.objects, deadletters.Replayed, deadletters.IDOf(l.Origin))
		if err == nil {
			_, err = fmt.Fprintf(r.w, "%s was replayed already, as %s\n", l.Input, m.As)
		}
		return err
	}
	if l.Cut() {
		if err := r.whole(ctx, l); err != nil {
			r.refused = append(r.refused, err)
			return nil
		}
	}
	r.batch = append(r.batch, l)
	if r.bytes += len(l.Key) + len(l.Value); len(r.batch) == replayLetters || r.bytes >= replayBytes {
		return r.flush(ctx)
	}
	return nil
}

// whole reads a record that its letter holds a part of from its input.
func (r *replayer) whole(ctx context.Context, l *bus.Letter) error {
	what := fmt.Sprintf("the letter of %s holds %s of %s", l.Input, console.Bytes(int64(len(l.Value))), console.Bytes(int64(l.ValueBytes)))
	switch {
	case l.ValueBytes < 0:
		return fmt.Errorf("%s cannot be replayed: its batch unpacks to more than is taken; have its producer send smaller batches", l.Input)
	case l.KeyBytes > bus.MaxKey:
		return fmt.Errorf("%s cannot be replayed: its key has %s, and at most %s are written; have its producer send it under its id", l.Input, console.Bytes(int64(l.KeyBytes)), console.Bytes(bus.MaxKey))
	case !r.current(l):
		return fmt.Errorf("%s, and its topic was made anew since; have its producer send it again", what)
	}
	in, err := r.bus.ReadInput(ctx, l.Input)
	if err != nil {
		return fmt.Errorf("%s, and the input cannot be read there: %w; have its producer send it again", what, err)
	}
	l.Key, l.Value = in.Key, in.Value
	return nil
}

// flush replays the batch: what has a dead verdict in ClickHouse, so that it is the one
// that counts. A mark is set behind each replay; where it is not, the next replay of the
// same letter is a duplicate.
func (r *replayer) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	dead, err := r.dead(ctx)
	if err != nil {
		return err
	}
	var letters []*bus.Letter
	var replays []bus.Replay
	for _, l := range r.batch {
		id := deadletters.IDOf(l.Origin)
		if !dead[id] {
			r.notStored++
			continue
		}
		letters = append(letters, l)
		replays = append(replays, bus.Replay{
			Topic: l.Input.Topic, Origin: bus.Origin{TopicID: id.TopicID, Partition: id.Partition, Offset: id.Offset},
			Attempt: l.Attempt + 1, Key: l.Key, Value: l.Value, ContentType: l.ContentType,
		})
	}
	r.batch, r.bytes = r.batch[:0], 0
	landed, err := r.bus.Replay(ctx, replays...)
	if errors.Is(err, kerr.MessageTooLarge) {
		return r.oneByOne(ctx, letters, replays)
	}
	if err != nil {
		return err
	}
	return r.note(ctx, letters, landed)
}

// oneByOne replays what does not go at once, since one of it is too large. What has landed
// already counts once.
func (r *replayer) oneByOne(ctx context.Context, letters []*bus.Letter, replays []bus.Replay) error {
	for i := range replays {
		landed, err := r.bus.Replay(ctx, replays[i])
		switch {
		case errors.Is(err, kerr.MessageTooLarge):
			r.refused = append(r.refused, fmt.Errorf("%s: %w", letters[i].Input, err))
			continue
		case err == nil:
			err = r.note(ctx, letters[i:i+1], landed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note marks letters as replayed.
func (r *replayer) note(ctx context.Context, letters []*bus.Letter, landed []bus.Position) error {
	for i, at := range landed {
		r.done++
		m := mark()
		m.As = at.String()
		if err := deadletters.Set(ctx, r.objects, deadletters.Replayed, deadletters.IDOf(letters[i].Origin), m); err != nil {
			return err
		}
		if r.all {
			continue
		}
		if _, err := fmt.Fprintf(r.w, "%s is replayed as %s\n", letters[i].Input, at); err != nil {
			return err
		}
	}
	return nil
}

// dead asks which records of the batch have a dead verdict.
func (r *replayer) dead(ctx context.Context) (map[deadletters.ID]bool, error) {
	var places []string
	for _, l := range r.batch {
		places = append(places, fmt.Sprintf("('%s', %d, %d)", l.Origin.TopicID, l.Origin.Partition, l.Origin.Offset))
	}
	rows, err := r.conn.Query(ctx, fmt.Sprintf(`SELECT _origin_topic_id, _origin_partition, _origin_offset FROM %s.dead_letters
WHERE _step = 'clean' AND (_origin_topic_id, _origin_partition, _origin_offset) IN (%s)`, r.cfg.ClickHouse.Database, strings.Join(places, ", ")))
	if err != nil {
		return nil, fmt.Errorf("ask for dead verdicts: %w", err)
	}
	all := map[deadletters.ID]bool{}
	for rows.Next() {
		var topic string
		var id deadletters.ID
		if err := rows.Scan(&topic, &id.Partition, &id.Offset); err != nil {
			return nil, errors.Join(fmt.Errorf("ask for dead verdicts: %w", err), rows.Close())
		}
		if id.TopicID, err = bus.ParseTopicID(topic); err != nil {
			return nil, errors.Join(fmt.Errorf("ask for dead verdicts: %w", err), rows.Close())
		}
		all[id] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("ask for dead verdicts: %w", err)
	}
	return all, nil
}
