package bus

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// intake turns what was fetched of one partition into the records that count. It drops
// what is no record (the markers of transactions), what was written again, what lies
// behind a gap and, on Millrace's own topics, what no stage of it wrote: one such record
// must not stop a sink for ever.
type intake struct {
	bus   *Bus
	at    Partition
	input bool
	marks *marks
	steps map[string]string // one string for each step's name

	repeated, gaps, forged, foreign prometheus.Counter
}

func (b *Bus) newIntake(reader string, topic Topic, partition int32, m *marks) intake {
	return intake{
		bus: b, at: Partition{Topic: topic.Name, TopicID: topic.ID, Partition: partition}, input: topic.Input,
		marks: m, steps: map[string]string{},
		repeated: b.metrics.repeated.WithLabelValues(reader, topic.Name),
		gaps:     b.metrics.gaps.WithLabelValues(reader, topic.Name),
		forged:   b.metrics.forged.WithLabelValues(reader, topic.Name),
		foreign:  b.metrics.foreign.WithLabelValues(reader, topic.Name),
	}
}

// take returns the record that r is, where it counts.
func (in *intake) take(r *kgo.Record) (rec Record, counts bool) {
	if r.Attrs.IsControl() {
		return rec, false
	}
	rec = Record{
		Partition: in.at, Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value,
		ContentType: contentType(r), Unreadable: unreadable(r), Attempt: 1,
		Origin: Origin{TopicID: in.at.TopicID, Partition: in.at.Partition, Offset: r.Offset},
	}
	if in.input {
		rec.Replay, rec.Attempt = in.replay(r)
	} else {
		rec.Kind = kindOf(header(r, HeaderKind))
	}
	l, derived := in.link(r)
	if !derived {
		if in.isForeign(&rec) {
			in.foreign.Inc()
			return rec, false
		}
		return rec, true
	}
	switch in.marks.admit(&l) {
	case repeated:
		in.repeated.Inc()
		return rec, false
	case behindGap:
		in.gaps.Inc()
		return rec, false
	}
	rec.Origin, rec.Derived = l.Origin, true
	return rec, true
}

// isForeign says whether a record without an origin has no place on the topic: its kind
// is none of Millrace's, or it says of a model what only a stage may say.
func (in *intake) isForeign(rec *Record) bool {
	if in.input {
		return false
	}
	if _, claim := rec.Kind.Claim(); claim {
		return false
	}
	_, known := kinds[string(rec.Kind)]
	return !known || in.at.Topic == ModelEvents
}

// link reads the origin of a record. On input topics it counts only with the MAC; what
// is malformed elsewhere was not written by Millrace and is its own origin.
func (in *intake) link(r *kgo.Record) (link, bool) {
	h := header(r, HeaderOrigin)
	if h == nil {
		return link{}, false
	}
	if in.input && !macEqual(header(r, HeaderMAC), mac(in.bus.cfg.Secret, saysOrigin, in.at.Topic, in.at.Partition, h, r.Key, r.Value)) {
		in.forged.Inc()
		return link{}, false
	}
	l, err := parseLink(h, in.stepName)
	if err != nil {
		in.forged.Inc()
		return link{}, false
	}
	return l, true
}

// contentType is what a record says that its value is.
func contentType(r *kgo.Record) string {
	if h := header(r, HeaderContentType); len(h) <= maxContentType {
		return string(h)
	}
	return ""
}

// stepName gives one string for each step's name.
func (in *intake) stepName(b []byte) string {
	if s, ok := in.steps[string(b)]; ok {
		return s
	}
	s := string(b)
	in.steps[s] = s
	return s
}

// unreadableKey marks, in a record's context, that it stands for one that the client
// could not unpack; no producer can set it.
type unreadableKey struct{}

func unreadable(r *kgo.Record) bool {
	return r.Context != nil && r.Context.Value(unreadableKey{}) != nil
}

// standIns are records for those of a batch that unpacks to more than may be held: each
// offset of it gets a verdict, none its bytes.
func standIns(e *kgo.ErrDecompressTooLarge) []*kgo.Record {
	ctx := context.WithValue(context.Background(), unreadableKey{}, true)
	var all []*kgo.Record
	for at := e.Offset; at < e.NextOffset && len(all) < mostStandIns; at++ {
		all = append(all, &kgo.Record{Topic: e.Topic, Partition: e.Partition, Offset: at, Context: ctx})
	}
	return all
}

// mostStandIns bounds the records that stand for one batch: whoever writes its header
// says how many it has.
const mostStandIns = 1 << 20
