package bus

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// passed runs a stage on one topic until n records came, and a Follower beside it to the
// log's end: both must be given the same.
func (r *rig) passed(b *Bus, topic string, n int) []Record {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	got := make(chan Record, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- b.Run(ctx, Stage{Name: "reader-of-" + topic, Inputs: []string{topic}, Limits: DefaultLimits(),
			Open: func(context.Context, Partition, *state.Partition) (Task, error) {
				return taskFunc(func(in []Record) {
					for i := range in {
						rec := in[i]
						rec.Value = bytes.Clone(rec.Value)
						got <- rec
					}
				}), nil
			}})
	}()
	var all []Record
	for len(all) < n {
		select {
		case rec := <-got:
			all = append(all, rec)
		case err := <-ended:
			r.t.Fatalf("the stage on %s ended behind %d records: %v", topic, len(all), err)
		case <-ctx.Done():
			r.t.Fatalf("%d records of %s came, want %d", len(all), topic, n)
		}
	}
	for behind := int64(1); behind != 0; time.Sleep(5 * time.Millisecond) {
		var err error
		if behind, err = b.Behind(ctx, "reader-of-"+topic); err != nil {
			r.t.Fatal(err)
		}
	}
	f, err := b.Follow(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	var followed []string
	for !f.CaughtUp() {
		records, err := f.Next(ctx)
		if err != nil {
			r.t.Fatalf("follow %s: %v", topic, err)
		}
		for i := range records {
			followed = append(followed, Position{records[i].Partition, records[i].Offset}.String())
		}
	}
	var offsets []string
	for i := range all {
		offsets = append(offsets, Position{all[i].Partition, all[i].Offset}.String())
	}
	slices.Sort(followed) // of one partition against another there is no order
	slices.Sort(offsets)
	if !slices.Equal(offsets, followed) {
		r.t.Errorf("%s: the stage was given offsets %v, a follower %v", topic, offsets, followed)
	}
	cancel()
	if err := <-ended; err != nil {
		r.t.Error(err)
	}
	return all
}

// TestTransactions checks that the markers of a foreign producer's transactions, and what
// it aborted, are no records, and that a log that ends in them has an end.
func TestTransactions(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.DefaultProduceTopic("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Value: []byte{byte(i)}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	all := r.passed(b, "a", 2)
	if all[0].Value[0] != 0 || all[1].Value[0] != 2 {
		t.Errorf("the records are %v and %v, want those of the first and third transaction", all[0].Value, all[1].Value)
	}
}

// TestForeign checks that a record on a topic of Millrace's that no stage wrote stops
// nobody, and that of a model nobody but a stage says anything but a claim.
func TestForeign(t *testing.T) {
	r := newRig(t, TopicSpec{Name: CleanText, Partitions: 1, MaxBytes: 1 << 20}, TopicSpec{Name: ModelEvents, Partitions: 1, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	write := func(topic, kind string) {
		t.Helper()
		rec := &kgo.Record{Topic: topic, Value: []byte(kind)}
		if kind != "" {
			rec.Headers = []kgo.RecordHeader{{Key: HeaderKind, Value: []byte(kind)}}
		}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"", "poison", string(schemas.KindCleanText)} {
		write(CleanText, kind)
	}
	for _, kind := range []string{"", string(schemas.KindModelVersion), string(schemas.KindModelVersionClaim)} {
		write(ModelEvents, kind)
	}
	for topic, want := range map[string]schemas.Kind{CleanText: schemas.KindCleanText, ModelEvents: schemas.KindModelVersionClaim} {
		if all := r.passed(b, topic, 1); len(all) != 1 || all[0].Kind != want || all[0].Offset != 2 {
			t.Errorf("%s: %+v counts, want the %s at offset 2 alone", topic, all, want)
		}
	}
}

// TestUnreadable checks that each record of a batch that unpacks to more than may be held
// comes as one that cannot be read, at its place, and that what lies behind it comes too.
func TestUnreadable(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 4 << 20})
	b := r.member(vfs.NewMem())
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.DefaultProduceTopic("a"),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerBatchMaxBytes(200<<20), kgo.BrokerMaxWriteBytes(256<<20), kgo.ProducerLinger(100*time.Millisecond),
		kgo.ManualFlushing(), kgo.MaxBufferedBytes(1<<30))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, batch := range [][]int{{1}, {40 << 20, 40 << 20}, {1}} {
		for _, n := range batch {
			cl.Produce(t.Context(), &kgo.Record{Value: make([]byte, n)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all := r.passed(b, "a", 4)
	for i, rec := range all {
		if rec.Unreadable != (i == 1 || i == 2) || rec.Offset != int64(i) || len(rec.Value) > 1 {
			t.Errorf("record %d lies at %d, has %d bytes, unreadable is %v", i, rec.Offset, len(rec.Value), rec.Unreadable)
		}
	}
}

// TestTopicConfigs checks that what follows from Millrace's configuration is set on
// topics that are there already, and that a topic from which the broker would delete is
// refused.
func TestTopicConfigs(t *testing.T) {
	small := TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20, Retention: time.Hour}
	r := newRig(t, small)
	r.member(vfs.NewMem())
	large := small
	large.MaxBytes, large.Retention = 4<<20, 2*time.Hour
	r.specs = []TopicSpec{large}
	b := r.member(vfs.NewMem())
	admin := kadm.NewClient(b.client)
	described, err := admin.DescribeTopicConfigs(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"max.message.bytes": strconv.Itoa(4<<20 + recordOverhead), "retention.ms": "7200000"}
	for _, c := range described[0].Configs {
		if w, ok := want[c.Key]; ok && c.MaybeValue() != w {
			t.Errorf("%s is %s, want %s", c.Key, c.MaybeValue(), w)
		}
	}
	if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: kadm.StringPtr("compact")}}, "a"); err != nil {
		t.Fatal(err)
	}
	if err := b.Ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "topic a has cleanup.policy=compact; set it to delete") {
		t.Errorf("a topic that is compacted: %v", err)
	}
}
