package bus

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// writer is a client that names its partitions.
func (r *rig) writer() *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

// emitting is a stage that does something with each record of a topic.
func emitting(from string, do func(*Record, *Output)) Stage {
	return Stage{Name: "emitter", Inputs: []string{from}, Limits: DefaultLimits(), Open: func(context.Context, Partition, *state.Partition) (Task, error) {
		return outputFunc(func(in []Record, out *Output) {
			for i := range in {
				do(&in[i], out)
			}
		}), nil
	}}
}

type outputFunc func([]Record, *Output)

func (f outputFunc) Process(_ context.Context, in []Record, out *Output) error {
	f(in, out)
	return nil
}

// TestCopiedOrigin copies what a stage wrote to an input, header, MAC and all, in every way
// that does not make the same record again: none of it may be taken for a stage's, or hide
// what a stage writes later.
func TestCopiedOrigin(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "from", Partitions: 1, MaxBytes: 1 << 20},
		TopicSpec{Name: "a", Partitions: 2, Input: true, MaxBytes: 1 << 20}, TopicSpec{Name: "b", Partitions: 2, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	cl := r.writer()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "from", Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: HeaderKind, Value: []byte("clean_text")}}}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Run(ctx, emitting("from", func(in *Record, out *Output) { out.EmitRaw(in, "a", 0, in.Key, "", in.Value) }))
	}()
	original := r.raw("a", 1)[0]
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	forged := func(change func(*kgo.Record)) *kgo.Record {
		c := &kgo.Record{Topic: "a", Key: original.Key, Value: original.Value, Headers: slices.Clone(original.Headers)}
		change(c)
		return c
	}
	replace := func(c *kgo.Record, name string, value []byte) {
		for i := range c.Headers {
			if c.Headers[i].Key == name {
				c.Headers[i].Value = value
			}
		}
	}
	other := appendLink(nil, link{Origin: Origin{Step: "emitter", Offset: 1 << 40}, prev: none})
	all := map[string]*kgo.Record{
		"to another partition": forged(func(c *kgo.Record) { c.Partition = 1 }),
		"to another topic":     forged(func(c *kgo.Record) { c.Topic = "b" }),
		"under another key":    forged(func(c *kgo.Record) { c.Key = []byte("l") }),
		"without a key":        forged(func(c *kgo.Record) { c.Key = nil }),
		"of another value":     forged(func(c *kgo.Record) { c.Value = []byte("w") }),
		"key and value moved":  forged(func(c *kgo.Record) { c.Key, c.Value = []byte("kv"), nil }),
		"of another origin":    forged(func(c *kgo.Record) { replace(c, HeaderOrigin, other) }),
		"a cut MAC":            forged(func(c *kgo.Record) { replace(c, HeaderMAC, header(c, HeaderMAC)[:8]) }),
		"no MAC":               forged(func(c *kgo.Record) { replace(c, HeaderMAC, nil) }),
		"as a replay": forged(func(c *kgo.Record) {
			c.Headers = append(c.Headers, kgo.RecordHeader{Key: HeaderReplay, Value: append(bytes.Clone(header(c, HeaderOrigin)), header(c, HeaderMAC)...)})
			replace(c, HeaderMAC, nil)
		}),
	}
	for _, c := range all {
		if err := cl.ProduceSync(t.Context(), c).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	exact := forged(func(*kgo.Record) {})
	if err := cl.ProduceSync(t.Context(), exact).FirstErr(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]Record{}
	for topic, n := range map[string]int{"a": len(all), "b": 1} { // the original too, and one of them lies on b
		for _, rec := range r.passed(b, topic, n) {
			seen[fmt.Sprintf("%s:%d", rec.Partition, rec.Offset)] = rec
		}
	}
	where := func(c *kgo.Record) string { return fmt.Sprintf("%s/%d:%d", c.Topic, c.Partition, c.Offset) }
	for name, c := range all {
		rec, ok := seen[where(c)]
		if !ok || rec.Derived || rec.Origin.Step != "" || rec.Replay != nil {
			t.Errorf("%s: given: %v, as %s, derived %v, replay %v; want an ordinary record", name, ok, rec.Origin, rec.Derived, rec.Replay)
		}
	}
	if rec := seen[where(original)]; !rec.Derived || rec.Origin.Step != "emitter" {
		t.Errorf("the original is given as %s, derived %v", rec.Origin, rec.Derived)
	}
	if _, ok := seen[where(exact)]; ok {
		t.Error("the same record once more counts once more")
	}
}

// raw reads the first n records of a topic as they are.
func (r *rig) raw(topic string, n int) []*kgo.Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for len(all) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatalf("%d records of %s came, want %d: %v", len(all), topic, n, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// TestReplays writes replays, and checks what a reader is given of them.
func TestReplays(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 2, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	topic, err := b.Topic("a")
	if err != nil {
		t.Fatal(err)
	}
	var replays []Replay
	for i := range 4 {
		replays = append(replays, Replay{
			Topic: "a", Origin: Origin{TopicID: topic.ID, Partition: int32(i % 2), Offset: int64(i)}, Attempt: 2 + i,
			Key: []byte("k")[:i%2], Value: []byte{byte(i)}, ContentType: []string{"", ContentJSON}[i%2],
		})
	}
	landed, err := b.Replay(t.Context(), replays...)
	if err != nil {
		t.Fatal(err)
	}
	given := map[Position]Record{}
	for _, rec := range r.passed(b, "a", len(replays)) {
		given[Position{rec.Partition, rec.Offset}] = rec
	}
	for i, p := range replays {
		rec := given[landed[i]]
		if rec.Replay == nil || *rec.Replay != p.Origin || rec.Partition.Partition != p.Origin.Partition || rec.Attempt != p.Attempt ||
			rec.ContentType != p.ContentType || !bytes.Equal(rec.Value, p.Value) || rec.Derived {
			t.Errorf("replay %d is given as %+v of %v, want %+v", i, rec, rec.Replay, p)
		}
	}
	for _, p := range []Replay{{Topic: "none"}, {Topic: "a", Origin: Origin{Partition: 2}}, {Topic: "a", Key: make([]byte, MaxKey+1)}} {
		if _, err := b.Replay(t.Context(), p); err == nil {
			t.Errorf("a replay to partition %d of %s under a key of %d bytes is taken", p.Origin.Partition, p.Topic, len(p.Key))
		}
	}
}

// TestReplayCopied checks that the copy of a replay that a stage writes is one too.
func TestReplayCopied(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20}, TopicSpec{Name: "b", Partitions: 3, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	o := Origin{TopicID: TopicID{7}, Offset: 5}
	if _, err := b.Replay(t.Context(), Replay{Topic: "a", Origin: o, Attempt: 3, Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Run(ctx, emitting("a", func(in *Record, out *Output) { out.EmitRaw(in, "b", 2, []byte("l"), "", in.Value) }))
	}()
	rec := r.passed(b, "b", 1)[0]
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if rec.Replay == nil || *rec.Replay != o || rec.Attempt != 3 || !rec.Derived || rec.Partition.Partition != 2 {
		t.Errorf("the copy is given as %+v, a replay of %v, want one of %s", rec, rec.Replay, o)
	}
}

// FuzzParseReplay reads a replay's header, which no reader may trust before its MAC.
func FuzzParseReplay(f *testing.F) {
	f.Add(ReplayHeader(make([]byte, 32), "a", Origin{TopicID: TopicID{1}, Partition: 1, Offset: 1 << 40}, nil, nil).Value, []byte("2"))
	f.Add([]byte{1, 0}, []byte("-1"))
	b := &Bus{cfg: Config{Secret: make([]byte, 32)}}
	f.Fuzz(func(t *testing.T, h, attempt []byte) {
		in := intake{bus: b, at: Partition{Topic: "a", Partition: 1}, input: true, steps: map[string]string{}, forged: prometheus.NewCounter(prometheus.CounterOpts{})}
		rec := &kgo.Record{Headers: []kgo.RecordHeader{{Key: HeaderReplay, Value: h}, {Key: HeaderAttempt, Value: attempt}}}
		o, n := in.replay(rec)
		switch {
		case n < 1 || n > maxAttempt:
			t.Fatalf("attempt %q is read as %d", attempt, n)
		case o != nil && !bytes.Equal(replayHeader(b.cfg.Secret, "a", 1, *o, nil, nil).Value, h):
			t.Fatalf("%x is read as %s, which is written otherwise", h, o)
		}
	})
}

// TestLetters puts records aside and reads them again: each once, whole or cut, whatever a
// stranger writes beside them, and whatever the broker has removed before them.
func TestLetters(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 8 << 10}, TopicSpec{Name: DeadLetters, Partitions: 2, MaxBytes: 4 << 10})
	b := r.member(vfs.NewMem())
	cl := r.writer()
	records := []*kgo.Record{
		{Topic: "a", Key: []byte("k"), Value: []byte("whole"), Headers: []kgo.RecordHeader{{Key: HeaderContentType, Value: []byte("text/plain")}}},
		{Topic: "a", Value: bytes.Repeat([]byte("v"), 4<<10+1)},
		{Topic: "a", Key: bytes.Repeat([]byte("k"), MaxKey+1), Value: []byte("v")},
		{Topic: "a"},
	}
	for _, rec := range records {
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	bury := emitting("a", func(in *Record, out *Output) {
		out.EmitDead(in, int32(in.Offset%2), fmt.Sprintf("reason %d", in.Offset))
	})
	run := func(n int) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx, bury) }()
		r.raw(DeadLetters, n)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	run(4)
	err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: DeadLetters, Value: []byte("a stranger's"), Headers: []kgo.RecordHeader{{Key: HeaderReason, Value: []byte("none")}}}).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
	if r.objects, err = objstore.Folder(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	b = r.member(vfs.NewMem()) // one that knows nothing, and writes all again
	run(9)
	read := func() map[int64]*Letter {
		all := map[int64]*Letter{}
		for l, err := range b.Letters(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if all[l.Origin.Offset] != nil {
				t.Errorf("the letter of offset %d is given twice", l.Origin.Offset)
			}
			all[l.Origin.Offset] = l
		}
		return all
	}
	all := read()
	if len(all) != len(records) {
		t.Fatalf("there are %d letters, want %d", len(all), len(records))
	}
	for i, rec := range records {
		l := all[int64(i)]
		cut := i == 1 || i == 2
		if l.Cut() != cut || l.KeyBytes != len(rec.Key) || l.ValueBytes != len(rec.Value) || l.Reason != fmt.Sprintf("reason %d", i) || l.Attempt != 1 ||
			l.Input.String() != fmt.Sprintf("a/0:%d", i) || !l.Timestamp.Equal(rec.Timestamp) || l.Origin.Step != "emitter" {
			t.Errorf("the letter of record %d is %+v", i, l)
		}
		if !cut && (!bytes.Equal(l.Key, rec.Key) || !bytes.Equal(l.Value, rec.Value)) {
			t.Errorf("the letter of record %d holds %q, %q, want %q, %q", i, l.Key, l.Value, rec.Key, rec.Value)
		}
		whole, err := b.ReadInput(t.Context(), l.Input)
		if err != nil || !bytes.Equal(whole.Key, rec.Key) || !bytes.Equal(whole.Value, rec.Value) {
			t.Errorf("the input of letter %d: %v", i, err)
		}
	}
	if all[0].ContentType != "text/plain" {
		t.Errorf("the content type is %q", all[0].ContentType)
	}
	admin := kadm.NewClient(b.client)
	if _, err := admin.DeleteRecords(t.Context(), kadm.Offsets{DeadLetters: {0: {Topic: DeadLetters, Partition: 0, At: 1}}, "a": {0: {Topic: "a", Partition: 0, At: 1}}}); err != nil {
		t.Fatal(err)
	}
	// Record 0 was first on partition 0; its copy lies further up.
	if all = read(); len(all) != len(records) {
		t.Errorf("behind what the broker has removed there are letters of %d records, want %d", len(all), len(records))
	}
	if _, err := b.ReadInput(t.Context(), all[0].Input); err == nil {
		t.Error("a record is read that the log no longer has")
	}
}
