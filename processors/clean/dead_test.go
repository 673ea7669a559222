package clean

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/deadletters"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// posts are n records of raw.text under one key, of which those are malformed that bad
// says.
func posts(from, n int, bad func(i int) bool) []*kgo.Record {
	var all []*kgo.Record
	for i := from; i < from+n; i++ {
		value := fmt.Sprintf(`{"text":"text number %d"}`, i)
		if bad(i) {
			value = `{"text":7}`
		}
		all = append(all, bustest.Input(bus.RawText, "k", []byte(value)))
	}
	return all
}

// stopping is the stage with a limit, and its metrics.
func stopping(t *testing.T, c *bustest.Cluster, limit float64) (bus.Stage, prometheus.Gatherer) {
	t.Helper()
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg, metrics := DefaultConfig(), prometheus.NewRegistry()
	cfg.StopOnDeadShare = limit
	stage, err := Stage(cfg, Deps{Rules: r, Tenant: "house", Objects: c.Objects, Metrics: metrics, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return stage, metrics
}

// gauge reads a metric of a partition of raw.text; ok is false where it is not shown.
func gauge(t *testing.T, metrics prometheus.Gatherer, name, partition string) (value float64, ok bool) {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == name && labels["topic"] == bus.RawText && labels["partition"] == partition {
				return m.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

// TestDeadShare follows the share of the dead, the alert and the stop over a log: what
// makes the stage go on is a larger limit or a person's look, and nothing else.
func TestDeadShare(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	topic, err := b.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	at := bus.Partition{Topic: bus.RawText, TopicID: topic.ID, Partition: bus.PartitionOf([]byte("k"), topic.Partitions)}
	partition := fmt.Sprint(at.Partition)
	stage, m := stopping(t, c, .05)
	sees := func(what string, metrics prometheus.Gatherer, share, alert float64) {
		t.Helper()
		for name, want := range map[string]float64{"millrace_clean_dead_share": share, "millrace_clean_dead_alert": alert} {
			if got, ok := gauge(t, metrics, name, partition); !ok || got != want {
				t.Errorf("%s: %s is %g (shown: %v), want %g", what, name, got, ok, want)
			}
		}
	}
	// running is what a drain leaves to be seen, before the partition is given back.
	running := func(stage bus.Stage, see func()) bus.Stage {
		return bustest.Failing(stage, func() error { see(); return nil })
	}
	c.Produce(posts(0, 1000, func(i int) bool { return i < 10 })...)
	c.MustDrain(b, running(stage, func() { sees("10 of 1,000 are dead", m, .01, 0) }))
	c.Produce(posts(1000, 1, func(int) bool { return true })...) // one more dies, as the first leaves the window
	c.MustDrain(b, running(stage, func() { sees("10 of the last 1,000 are dead", m, .01, 0) }))
	c.Produce(posts(1001, 100, func(i int) bool { return i%2 == 0 })...)
	c.MustDrain(b, running(stage, func() { sees("51 of the last 1,000 are dead", m, .051, 1) }))
	if share, shown := gauge(t, m, "millrace_clean_dead_share", partition); shown {
		t.Errorf("the share %g is shown of a partition that is worked on no longer", share)
	}
	// The batch is accounted for; the next is not begun, by whoever tries.
	good := posts(1101, 1, func(int) bool { return false })
	c.Produce(good...)
	for _, member := range []*bus.Bus{b, c.Member(vfs.NewMem())} {
		err := c.Drain(member, stage)
		for _, part := range []string{"5.1 % of the last 1000 records of raw.text/" + partition, "most of them for invalid_field", "clean.stop_on_dead_share is 5.0 %", "deadletters resume"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Fatalf("the stage ended with %v, want %q in it", err, part)
			}
		}
		sees("stopped", m, .051, 1)
	}
	if n := len(letters(t, b)); n != 61 {
		t.Errorf("%d letters are there to be looked at, want 61", n)
	}
	larger, _ := stopping(t, c, .052)
	c.MustDrain(b, larger)
	// A person looks; the producer is not mended, and the stage stops again for what came since.
	ends, err := b.Ends(t.Context(), bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	if err := deadletters.Resume(t.Context(), c.Objects, deadletters.ID{TopicID: at.TopicID, Partition: at.Partition, Offset: ends[at.Partition]}, deadletters.Mark{}); err != nil {
		t.Fatal(err)
	}
	c.Produce(posts(1102, 50, func(int) bool { return true })...)
	c.MustDrain(b, stage)
	c.Produce(posts(1152, 1, func(int) bool { return true })...)
	c.MustDrain(b, stage)
	c.Produce(posts(1153, 1, func(int) bool { return false })...)
	if err := c.Drain(b, stage); err == nil || !strings.Contains(err.Error(), "5.1 % of the last 1000") {
		t.Errorf("51 came since a person has looked, and the stage ended with %v", err)
	}
}

// TestShare compares with a plain count over random records, through saves and loads.
func TestShare(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	st := emptyState(t)
	s := share{st: st}
	var dead []bool
	for i := range 5000 {
		bad := rng.IntN(1000) < (i/500%3)*300
		dead = append(dead, bad)
		s.note(int64(2*i), bad, schemas.ClassTooLarge)
		if rng.IntN(100) == 0 {
			s.save()
			s = share{st: st}
			if err := s.load(); err != nil {
				t.Fatal(err)
			}
		}
		looked := max(0, i-rng.IntN(2*deadWindow))
		n := 0
		for at := max(looked, i+1-deadWindow); at <= i; at++ {
			if dead[at] {
				n++
			}
		}
		got, most := s.of(int64(2 * looked))
		if want := float64(n) / deadWindow; got != want || n > 0 && most != schemas.ClassTooLarge {
			t.Fatalf("seed %d: at record %d, looked at below %d: the share is %g for %s, want %g", seed, i, looked, got, most, want)
		}
	}
}

// emptyState is the state of a partition that nothing was read of.
func emptyState(t testing.TB) *state.Partition {
	t.Helper()
	db, err := state.Open("/state", vfs.NewMem(), bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	st, err := db.Partition("clean", [16]byte{1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close(); _ = db.Close() })
	return st
}

// packed writes records in one batch that the broker takes since it is packed small.
func packed(t *testing.T, c *bustest.Cluster, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Kafka.ListenAddrs()...), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(200<<20), kgo.BrokerMaxWriteBytes(256<<20), kgo.MaxBufferedBytes(1<<30), kgo.ManualFlushing())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range records {
		cl.Produce(t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPoison writes what is too large for each step behind the input, which a packed batch
// can carry there: each has one verdict, nothing loops, and the letter says what it lacks.
func TestPoison(t *testing.T) {
	topics := bus.DefaultTopicsConfig()
	topics.MaxInputBytes = 1 << 10 // the least that may be chosen
	c := bustest.NewWith(t, topics)
	b := c.Member(vfs.NewMem())
	long := func(n int) string { return strings.Repeat("a", n) }
	// Everything that a verdict carries on is as long as it may be.
	full := fmt.Sprintf(`{"tenant":%q,"event_id":%q,"source":%q,"subject":%q,"purpose":%q,"license":%q,"trace_id":%q,"span_id":%q,"session_id":%q,`,
		long(64), long(128), long(256), long(256), long(64), long(64), long(64), long(64), long(128))
	words := strings.Repeat("some words ", 20_000)
	asHeader := func(n int) kgo.RecordHeader {
		return kgo.RecordHeader{Key: bus.HeaderContentType, Value: bytes.Repeat([]byte("x"), n)}
	}
	cases := []struct {
		name   string
		record *kgo.Record
		kind   schemas.Kind
		class  string
		cut    bool
	}{
		{"a clean form above its limit", bustest.Input(bus.RawText, "", []byte(`{"text":"`+words+`"}`)), schemas.KindDeadLetter, "too_large", true},
		{"what must be rekeyed", bustest.Input(bus.RawText, "wrong", []byte(`{"event_id":"x","text":"`+words+`"}`)), schemas.KindDeadLetter, "too_large", true},
		{"a value of 30 MiB", bustest.Input(bus.UserFeedback, "f", []byte(`{"thumb":"`+long(30<<20))), schemas.KindDeadLetter, "invalid_json", true},
		{"a key of 30 MiB", bustest.Input(bus.RawText, long(30<<20), []byte(`{"text":7}`)), schemas.KindDeadLetter, "invalid_field", true},
		{"a key of 30 MiB on what is clean", bustest.Input(bus.InferenceLogs, long(30<<20), []byte(`{"request_model":"m"}`)), schemas.KindInference, "", false},
		{"a content type of 30 MiB", bustest.Input(bus.RawText, "wrong", []byte(`{"event_id":"y","text":"hm"}`), asHeader(30<<20)), schemas.KindDuplicate, "rekeyed", false},
		{"a full envelope, dead", bustest.Input(bus.RawText, long(128), []byte(full+`"text":7}`)), schemas.KindDeadLetter, "invalid_field", false},
		{"a full envelope and a field like many addresses", bustest.Input(bus.RawText, long(128), []byte(full+`"`+strings.Repeat("a@a ", 16)+`":7}`)), schemas.KindDeadLetter, "unknown_field", false},
		{"a full envelope, rejected", bustest.Input(bus.RawText, long(128), []byte(full+`"text":""}`)), schemas.KindRejected, "empty", false},
		{"a full envelope, a duplicate", bustest.Input(bus.RawText, long(128), []byte(full+`"text":""}`)), schemas.KindDuplicate, "repeated", false},
	}
	for _, x := range cases {
		packed(t, c, x.record)
	}
	large := []*kgo.Record{bustest.Input(bus.RawText, "l", make([]byte, 40<<20)), bustest.Input(bus.RawText, "l", make([]byte, 40<<20))}
	packed(t, c, large...)
	behind := bustest.Input(bus.RawText, "l", []byte(`{"text":"behind all that"}`))
	c.Produce(behind)
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	c.MustDrain(b, stage) // what was rekeyed
	dead := letters(t, b)
	again := map[string]place{} // a replay's verdict has the most to carry
	for _, x := range cases {
		if l := dead[at(x.record)]; l != nil && !l.Cut() {
			again[x.name] = replay(t, b, l)
		}
	}
	c.MustDrain(b, stage)
	all := verdicts(t, c, b)
	for _, x := range cases {
		if p, ok := again[x.name]; ok {
			of := at(x.record)
			all[p].want(t, "again: "+x.name, x.kind, x.class, &of)
		}
	}
	if len(again) != 2 {
		t.Errorf("%d letters are whole, want 2", len(again))
	}
	for _, x := range cases {
		v := all[at(x.record)]
		v.want(t, x.name, x.kind, x.class, nil)
		l := dead[at(x.record)]
		if (l != nil) != (x.kind == schemas.KindDeadLetter) {
			t.Errorf("%s: there is a letter: %v", x.name, l != nil)
		}
		if l != nil && (l.Cut() != x.cut || l.KeyBytes != len(x.record.Key) || l.ValueBytes != len(x.record.Value)) {
			t.Errorf("%s: the letter is cut: %v; of %d and %d bytes; want %v, %d and %d", x.name, l.Cut(), l.KeyBytes, l.ValueBytes, x.cut, len(x.record.Key), len(x.record.Value))
		}
	}
	for _, r := range large {
		all[at(r)].want(t, "a batch that unpacks to 80 MiB", schemas.KindDeadLetter, "too_large", nil)
		if l := dead[at(r)]; l == nil || !l.Cut() || l.ValueBytes != -1 || len(l.Value) != 0 {
			t.Errorf("the letter of what could not be unpacked is %+v", l)
		}
	}
	all[at(behind)].want(t, "what is behind all that", schemas.KindCleanText, "", nil)
}

// FuzzLoadShare reads what may stand in a state: what is read is saved alike, and can be
// counted with.
func FuzzLoadShare(f *testing.F) {
	f.Add(make([]byte, 8))
	f.Add(bytes.Repeat([]byte{0xff}, 8+2*deadRecordBytes))
	st := emptyState(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		st.Set(shareKey, b)
		s := share{st: st}
		if s.load() != nil {
			return
		}
		for i := range int64(3) {
			s.note(i, true, ReasonIDConflict)
			if share, _ := s.of(0); share < 0 || share > 1+3./deadWindow {
				t.Fatalf("%x: the share of the dead is %g", b, share)
			}
		}
		s.save()
	})
}
