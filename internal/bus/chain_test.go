package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// chainTask writes, for every record, its value and a sum of all values that it was given
// before on the partition: a function of its whole state. A record that it was given twice,
// never, or with another's state makes every sum behind it another.
type chainTask struct{ st *state.Partition }

func link64(sum, value uint64) uint64 {
	sum = (sum ^ value) * 0x9e3779b97f4a7c15
	return sum ^ sum>>29
}

func (c *chainTask) Process(_ context.Context, in []Record, out *Output) error {
	v, _, err := c.st.Get(countKey)
	if err != nil {
		return err
	}
	var sum uint64
	if len(v) == 8 {
		sum = binary.BigEndian.Uint64(v)
	}
	for i := range in {
		sum = link64(sum, binary.BigEndian.Uint64(in[i].Value))
		out.EmitRaw(&in[i], "b", out.ByKey("b", in[i].Key), in[i].Key, schemas.KindCleanText, binary.BigEndian.AppendUint64(in[i].Value[:8:8], sum))
		c.st.Set(in[i].Key, in[i].Value) // so that the state is of some size
	}
	c.st.Set(countKey, binary.BigEndian.AppendUint64(nil, sum))
	return nil
}

func chainStage() Stage {
	return Stage{Name: "chain", Inputs: []string{"a"}, Limits: Limits{MaxRecords: 40, MaxBytes: 1 << 20},
		Open: func(_ context.Context, _ Partition, st *state.Partition) (Task, error) { return &chainTask{st}, nil }}
}

// chainTopics are those of chainStage and of a stage that copies what it writes.
func chainTopics(partitions int32) []TopicSpec {
	return []TopicSpec{{Name: "a", Partitions: partitions, Input: true, MaxBytes: 1 << 20}, {Name: "b", Partitions: 2, MaxBytes: 1 << 20}, {Name: "c", Partitions: 1, MaxBytes: 1 << 20}}
}

// read returns the values of a topic by partition, as they lie in the log.
func (r *rig) read(topic string) map[int32][][]byte {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.DisableClientMetrics(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	left := int64(0)
	for _, info := range r.cluster.PartitionInfos(topic) {
		left += info.HighWatermark - info.LogStartOffset
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	all := map[int32][][]byte{}
	for left > 0 && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			left--
			all[rec.Partition] = append(all[rec.Partition], rec.Value)
		})
	}
	if left > 0 {
		r.t.Fatalf("%d records of %s did not come", left, topic)
	}
	return all
}

// sums is what chainStage must have written, by a count of the test's own over what was
// produced: value -> sum.
func sums(inputs map[int32][][]byte) map[uint64]uint64 {
	want := map[uint64]uint64{}
	for _, values := range inputs {
		var sum uint64
		for _, v := range values {
			sum = link64(sum, binary.BigEndian.Uint64(v))
			want[binary.BigEndian.Uint64(v)] = sum
		}
	}
	return want
}

// checkChain compares what a follower reads of topic with what must be there, and returns
// how many records lie there and do not count.
func (r *rig) checkChain(b *Bus, topic string, want map[uint64]uint64) (skipped int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	f, err := b.Follow(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	got := map[uint64]int{}
	for !f.CaughtUp() {
		records, err := f.Next(ctx)
		if err != nil {
			r.t.Fatalf("follow %s: %v", topic, err)
		}
		for i := range records {
			value, sum := binary.BigEndian.Uint64(records[i].Value), binary.BigEndian.Uint64(records[i].Value[8:])
			if got[value]++; sum != want[value] {
				r.t.Errorf("%s: the sum at value %d is %x, want %x", topic, value, sum, want[value])
			}
		}
		if r.t.Failed() {
			r.t.FailNow()
		}
	}
	for value := range want {
		if got[value] != 1 {
			r.t.Errorf("%s: value %d is there %d times, want once", topic, value, got[value])
		}
	}
	if len(got) != len(want) {
		r.t.Errorf("%s: %d values are there, want %d", topic, len(got), len(want))
	}
	for _, n := range f.Skipped() {
		skipped += int(n)
	}
	return skipped
}

// drain runs stages until they have committed everything that their inputs hold.
func (r *rig) drain(b *Bus, stages ...Stage) {
	r.t.Helper()
	for _, s := range stages {
		ends := map[string]map[int32]int64{}
		for _, name := range s.Inputs {
			var err error
			if ends[name], err = b.Ends(r.t.Context(), name); err != nil {
				r.t.Fatal(err)
			}
		}
		reached := func() bool {
			at := map[string]int64{}
			for p, position := range b.Positions(s.Name) {
				at[fmt.Sprint(p.Topic, p.Partition)] = position
			}
			for name, partitions := range ends {
				for n, end := range partitions {
					if position, here := at[fmt.Sprint(name, n)]; !here || position < end {
						return false
					}
				}
			}
			return true
		}
		err := until(r.t, b, s, reached)
		for n := 0; n < 200 && errors.Is(err, state.ErrDamaged); n++ { // it begins again
			time.Sleep(5 * time.Millisecond)
			err = until(r.t, b, s, reached)
		}
		if err != nil {
			r.t.Fatalf("stage %s: %v", s.Name, err)
		}
	}
}

// durationOf is that of an environment variable, or short.
func durationOf(t *testing.T, value string, short time.Duration) time.Duration {
	t.Helper()
	if value == "" {
		return short
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		t.Fatalf("%q is no duration: %v", value, err)
	}
	return d
}

// number is a value as rig.produce writes it.
func number(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
