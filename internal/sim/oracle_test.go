//go:build synctests

package sim

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// place is where an input record lies.
type place struct {
	topicID   string
	partition int32
	offset    int64
}

// want is what must be stored of an input record, or of the copies of one.
type want struct {
	kind schemas.Kind
	id   string
	// copies are the places of records that Millrace wrote for one and the same: one of
	// them has the verdict.
	copies []place
}

// expected is what must be in each store.
type expected struct {
	verdicts []want
	examples map[string]string // inference by feedback
}

// expect works out of the input logs, and of what was posted, what must be stored: a few
// lines that know what was meant, and nothing of how it is done.
func (w *world) expect(ctx context.Context) (*expected, error) {
	e := &expected{examples: map[string]string{}}
	inferences, spoken := map[string]bool{}, map[string]string{}
	for _, topic := range []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback} {
		records, id, err := w.log(ctx, topic)
		if err != nil {
			return nil, err
		}
		if err := w.heard(topic, records); err != nil {
			return nil, err
		}
		copies := map[string]int{} // of an origin -> index of its want
		first := map[string]string{}
		for _, r := range records {
			at := place{id, r.Partition, r.Offset}
			p, origin := w.book.of(topic, r.Value), originOf(r)
			if origin != "" { // written by Millrace under its right key
				var err error
				if p, err = w.copied(topic, r.Value); err != nil {
					return nil, err
				}
			}
			if p == nil {
				return nil, fmt.Errorf("%s/%d at %d holds what nobody posted: %.60q", topic, r.Partition, r.Offset, r.Value)
			}
			if origin != "" {
				if i, known := copies[origin]; known {
					e.verdicts[i].copies = append(e.verdicts[i].copies, at)
					continue
				}
				copies[origin] = len(e.verdicts)
			}
			v := want{kind: p.wants, id: p.id, copies: []place{at}}
			switch before, known := first[p.id]; {
			case p.wants == schemas.KindDeadLetter: // it has no id that could be read
				v.id = ""
			case p.strayed && origin == "":
				v.kind = schemas.KindDuplicate
			case known && before == string(p.value):
				v.kind = schemas.KindDuplicate
			case known:
				v.kind = schemas.KindDeadLetter
			default:
				first[p.id] = string(p.value)
				inferences[p.id] = inferences[p.id] || p.wants == schemas.KindInference
				if p.wants == schemas.KindFeedback {
					spoken[p.id] = p.inference
				}
			}
			e.verdicts = append(e.verdicts, v)
		}
	}
	for feedback, inference := range spoken {
		if inferences[inference] {
			e.examples[feedback] = inference
		}
	}
	return e, nil
}

// copied finds the post whose event a record holds in another form.
func (w *world) copied(topic string, value []byte) (*post, error) {
	var m schemas.Message = new(schemas.Text)
	if topic == bus.InferenceLogs {
		m = new(schemas.Inference)
	}
	err := m.Unmarshal(value)
	if strings.HasPrefix(string(value), "{") {
		err = m.DecodeJSON(value)
	}
	if err != nil {
		return nil, fmt.Errorf("a copy on %s cannot be read: %w", topic, err)
	}
	for _, p := range w.book.posts {
		if p.topic == topic && p.id == m.Env().EventID && p.strayed {
			return p, nil
		}
	}
	return nil, fmt.Errorf("a copy on %s is of %s, which nobody posted under a wrong key", topic, m.Env().EventID)
}

// originOf is, of a record that Millrace wrote, which step wrote it for which record; what
// the header says of the record before it is no part of that.
func originOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key != bus.HeaderOrigin {
			continue
		}
		end := 2 + int(h.Value[1]) + 16 // a version, the step behind its length, the topic
		for range 3 {                   // partition, offset, index
			_, n := binary.Uvarint(h.Value[end:])
			end += n
		}
		return string(h.Value[:end])
	}
	return ""
}

// heard says whether the log has all that its broker acknowledged.
func (w *world) heard(topic string, records []*kgo.Record) error {
	lies := map[place]string{}
	for _, r := range records {
		lies[place{"", r.Partition, r.Offset}] = string(r.Value)
	}
	for _, a := range w.book.acked {
		if a.topic == topic && lies[place{"", a.partition, a.offset}] != string(a.value) {
			return fmt.Errorf("%s/%d at %d was acknowledged and lies no more in the log: the broker is at fault", topic, a.partition, a.offset)
		}
	}
	return nil
}

// log reads a topic as any client does. No offset is missing in it: there are no
// transactions, and nothing is deleted.
func (w *world) log(ctx context.Context, topic string) (all []*kgo.Record, id string, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(w.newHost(0).dial),
		kgo.DisableClientMetrics(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	details, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return nil, "", err
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, "", err
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	for int64(len(all)) < left {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, "", fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { all = append(all, r) })
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int { return int(a.Partition-b.Partition)*1_000_000 + int(a.Offset-b.Offset) })
	topicID := details[topic].ID
	return all, hex.EncodeToString(topicID[:]), nil
}

// check holds the rows of a store against what must be in it.
func (e *expected) check(store string, rows []row) error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(store+": "+format, args...)) }
	verdicts, examples, seen := map[place][]row{}, map[string][]row{}, map[identity]row{}
	for _, r := range rows {
		if other, twice := seen[r.identity]; twice {
			say("%+v is stored twice: %+v and %+v", r.identity, r, other)
		}
		seen[r.identity] = r
		switch r.step {
		case "clean":
			at := place{r.topicID, r.identity.partition, r.identity.offset}
			verdicts[at] = append(verdicts[at], r)
		case "join":
			examples[r.feedback] = append(examples[r.feedback], r)
		default:
			say("%+v is of no step that ran", r)
		}
	}
	for _, v := range e.verdicts {
		var got []row
		for _, at := range v.copies {
			got = append(got, verdicts[at]...)
			delete(verdicts, at)
		}
		switch {
		case len(got) != 1:
			say("of %s at %v there are %d verdicts, want one of %s: %+v", v.id, v.copies, len(got), v.kind, got)
		case got[0].kind != v.kind || v.id != "" && got[0].eventID != v.id:
			say("of %s at %v there is %+v, want %s", v.id, v.copies, got[0], v.kind)
		}
	}
	for at, got := range verdicts {
		say("%+v has a verdict, and is no input: %+v", at, got)
	}
	for feedback, inference := range e.examples {
		if got := examples[feedback]; len(got) != 1 || got[0].inferenceID != inference {
			say("of feedback %s on %s there are %d examples: %+v", feedback, inference, len(got), got)
		}
		delete(examples, feedback)
	}
	for feedback, got := range examples {
		say("of feedback %s there is an example, and should be none: %+v", feedback, got)
	}
	const shown = 5
	return errors.Join(wrong[:min(len(wrong), shown)]...)
}

// file is a row as it lies in the lake.
type file struct {
	EventID         string `parquet:"event_id"`
	InferenceID     string `parquet:"inference_id"`
	FeedbackID      string `parquet:"feedback_id"`
	Topic           string `parquet:"_topic"`
	Partition       int32  `parquet:"_partition"`
	Offset          int64  `parquet:"_offset"`
	Step            string `parquet:"_step"`
	OriginTopicID   string `parquet:"_origin_topic_id"`
	OriginPartition int32  `parquet:"_origin_partition"`
	OriginOffset    int64  `parquet:"_origin_offset"`
	OriginIndex     int32  `parquet:"_origin_index"`
}

// globbed reads every file of the lake, as one does who knows of no manifest.
func globbed(ctx context.Context, s objstore.Store) (all []row, err error) {
	for info, err := range s.List(ctx, "lake/") {
		if err != nil {
			return nil, err
		}
		if all, err = appendFile(ctx, s, all, info.Key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// listed reads the files of the manifest.
func listed(ctx context.Context, b *bus.Bus, s objstore.Store) (all []row, err error) {
	for _, name := range []string{bus.CleanText, bus.Interactions, bus.TrainingExamples} {
		topic, err := b.Topic(name)
		if err != nil {
			return nil, err
		}
		for n := range topic.Partitions {
			for c, err := range lake.Commits(ctx, s, topic.ID, n) {
				if err != nil {
					return nil, err
				}
				for _, f := range c.Files {
					before := len(all)
					if all, err = appendFile(ctx, s, all, f.Key); err != nil {
						return nil, err
					}
					if rows := int64(len(all) - before); rows != f.Rows {
						return nil, fmt.Errorf("%s has %d rows, its commit says %d", f.Key, rows, f.Rows)
					}
				}
			}
		}
	}
	return all, nil
}

func appendFile(ctx context.Context, s objstore.Store, all []row, key string) ([]row, error) {
	o, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	f, err := parquetgo.OpenFile(o, o.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	_, kind, _ := strings.Cut(key, "/kind=")
	kind, _, _ = strings.Cut(kind, "/")
	r := parquetgo.NewGenericReader[file](f)
	defer r.Close()
	rows := make([]file, f.NumRows())
	if n, err := r.Read(rows); n != len(rows) || err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %d rows of %d: %w", key, n, len(rows), err)
	}
	for _, x := range rows {
		o := identity{x.Step, x.OriginTopicID, x.OriginPartition, x.OriginOffset, x.OriginIndex}
		y := row{kind: schemas.Kind(kind), eventID: x.EventID, topic: x.Topic, partition: x.Partition, offset: x.Offset, identity: o}
		if y.kind == schemas.KindTrainingExample {
			y.inferenceID, y.feedback = x.InferenceID, x.FeedbackID
		}
		all = append(all, y)
	}
	return all, nil
}
