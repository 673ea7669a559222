package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/state"
)

// onDisk is a rig whose cluster lies in a folder and keeps its port over restarts.
func onDisk(t *testing.T, specs ...TopicSpec) (r *rig, dir string) {
	t.Helper()
	r = newRig(t, specs...)
	dir = t.TempDir()
	r.cluster.Close()
	r.start(dir, 0)
	return r, dir
}

func (r *rig) start(dir string, port int) {
	r.t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.Ports(port))
	if err != nil {
		r.t.Fatal(err)
	}
	r.cluster = cluster
	r.t.Cleanup(cluster.Close)
}

func (r *rig) port() int {
	r.t.Helper()
	_, port, err := net.SplitHostPort(r.cluster.ListenAddrs()[0])
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// sinkStage gives every value that it is handed to got.
func sinkStage(name, from string, got *sync.Map) Stage {
	return Stage{Name: name, Inputs: []string{from}, Limits: DefaultLimits(),
		Open: func(context.Context, Partition, *state.Partition) (Task, error) { return &collectTask{got}, nil }}
}

// until runs a stage until ok, and returns the error that it ended with before.
func until(t *testing.T, b *Bus, stage Stage, ok func() bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, stage) }()
	for !ok() {
		select {
		case err := <-ended:
			if err == nil {
				t.Fatalf("stage %s waited in vain", stage.Name)
			}
			return err
		case <-time.After(2 * time.Millisecond):
		}
	}
	cancel()
	return <-ended
}

func never() bool { return false }

// reached says whether a stage has committed an offset of partition 0 of its input.
func reached(b *Bus, stage Stage, offset int64) func() bool {
	return func() bool {
		for at, position := range b.Positions(stage.Name) {
			if at.Partition == 0 && position >= offset {
				return true
			}
		}
		return false
	}
}

// TestLostEnd puts an older copy of the log under a stage that runs, and lets it fill up
// again beyond the stage's position with other records. The stage must stop and stay
// stopped, by its local state and by a checkpoint alike: what was read is not in the log,
// and what lies there now would be read from the middle.
func TestLostEnd(t *testing.T) {
	r, dir := onDisk(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20})
	fs := vfs.NewMem()
	b := r.member(fs)
	b.checkpointEvery = time.Millisecond
	r.produce("a", 1, 0, 50)
	port := r.port()
	r.cluster.Close()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	r.start(dir, port)
	r.produce("a", 1, 50, 50)
	got := &sync.Map{}
	stage := sinkStage("s", "a", got)
	replaced := false
	err := until(t, b, stage, func() bool {
		if !replaced && reached(b, stage, 100)() {
			r.cluster.Close()
			r.start(copied, port)
			replaced = true
		}
		return false
	})
	if !replaced || err == nil {
		t.Fatalf("the log's end was lost under a stage that had read it: replaced %v, the stage says %v", replaced, err)
	}
	for _, more := range []int{0, 20, 30, 100} { // the log ends at 50, 70, 100, 200
		r.produce("a", 1, 1000, more)
		if err := until(t, b, stage, never); !errors.Is(err, errLost) {
			t.Errorf("with %d more records: the stage says %v, want %v", more, err, errLost)
		}
		fresh := r.member(vfs.NewMem())
		if err := until(t, fresh, stage, never); !errors.Is(err, errLost) {
			t.Errorf("with %d more records, from a checkpoint: the stage says %v, want %v", more, err, errLost)
		}
	}
	got.Range(func(k, _ any) bool {
		if k.(uint64) >= 1000 {
			t.Errorf("the stage was given value %d, which it was to stop before", k)
		}
		return true
	})
}

// TestTrimmedBefore deletes the records below a stage's position, the last one before it
// included, and checks that it goes on behind them.
func TestTrimmedBefore(t *testing.T) {
	r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20})
	b := r.member(vfs.NewMem())
	got := &sync.Map{}
	stage := sinkStage("s", "a", got)
	for i := range 3 {
		r.produce("a", 1, 10*i, 10)
		if err := until(t, b, stage, reached(b, stage, int64(10*i+10))); err != nil {
			t.Fatal(err)
		}
		if err := r.cluster.DeleteRecords("a", 0, int64(10*i+9+i%2)); err != nil { // 9, 20, 29
			t.Fatal(err)
		}
	}
	for i := range uint64(30) {
		if n := times(got, i); n != 1 {
			t.Errorf("value %d came %d times, want 1", i, n)
		}
	}
}

// TestDeliver checks what of a fetch a worker takes: behind the record before its
// position, if that is the one that it was, and nothing that it has taken already.
func TestDeliver(t *testing.T) {
	at := func(offset int64, value string) *kgo.Record { return &kgo.Record{Offset: offset, Value: []byte(value)} }
	large := standIns(&kgo.ErrDecompressTooLarge{Offset: 3, NextOffset: 7})
	five := lastOf(at(4, "four"))
	unpacked := last{offset: 4}
	for what, c := range map[string]struct {
		before  *last
		records []*kgo.Record
		want    []int64
		lost    bool
	}{
		"from the start":                   {nil, []*kgo.Record{at(5, ""), at(6, "")}, []int64{5, 6}, false},
		"a batch that comes whole":         {nil, large, []int64{5, 6}, false},
		"the record before":                {&five, []*kgo.Record{at(4, "four"), at(5, "")}, []int64{5}, false},
		"a fetch from the batch's start":   {&five, []*kgo.Record{at(3, ""), at(4, "four")}, nil, false},
		"another record before":            {&five, []*kgo.Record{at(4, "other"), at(5, "")}, nil, true},
		"all before is deleted":            {&five, []*kgo.Record{at(5, "")}, []int64{5}, false},
		"deleted, and a hole":              {&five, []*kgo.Record{at(9, "")}, []int64{9}, false},
		"one that could not be unpacked":   {&unpacked, large, []int64{5, 6}, false},
		"one that can be unpacked by now":  {&unpacked, []*kgo.Record{at(4, "large"), at(5, "")}, []int64{5}, false},
		"one that cannot be unpacked then": {&five, large, []int64{5, 6}, false},
	} {
		w := &worker{arrived: make(chan struct{}, 1), next: 5, before: c.before}
		err := w.deliver(c.records, 10)
		var got []int64
		for _, r := range w.queue {
			got = append(got, r.Offset)
		}
		if !slices.Equal(got, c.want) || errors.Is(err, errLost) != c.lost || !c.lost && err != nil {
			t.Errorf("%s: taken %v, %v; want %v, lost %v", what, got, err, c.want, c.lost)
		}
	}
}

// times is how often a value was given to a collectTask.
func times(got *sync.Map, value uint64) int64 {
	n, ok := got.Load(value)
	if !ok {
		return 0
	}
	return n.(interface{ Load() int64 }).Load()
}

func TestLastRoundTrip(t *testing.T) {
	r := &kgo.Record{Offset: 7, Key: []byte("k"), Value: binary.BigEndian.AppendUint64(nil, 7), Timestamp: time.UnixMilli(1e12)}
	l, err := parseLast(lastOf(r).append(nil))
	if err != nil || !l.is(r) {
		t.Fatalf("%+v came back as %+v, %v", lastOf(r), l, err)
	}
	for what, change := range map[string]func(*kgo.Record){
		"offset": func(r *kgo.Record) { r.Offset++ }, "key": func(r *kgo.Record) { r.Key = []byte("l") },
		"value": func(r *kgo.Record) { r.Value = r.Value[1:] }, "time": func(r *kgo.Record) { r.Timestamp = time.UnixMilli(1) },
		"header": func(r *kgo.Record) { r.Headers = []kgo.RecordHeader{{Key: "h"}} },
	} {
		other := *r
		change(&other)
		if l.is(&other) {
			t.Errorf("with another %s it is taken for the same", what)
		}
	}
}
