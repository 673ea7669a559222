package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTrimmedCrash trims a log and lets the broker die: it may forget where its log
// begins, and must still hand out everything from where it was trimmed. (Trimmed of its
// last record, 40 of 40, it would count from 0 again: so bus.Trim leaves that one.)
func TestTrimmedCrash(t *testing.T) {
	t.Parallel()
	for _, trimmed := range []int64{1, 30, 31, 39} {
		t.Run(fmt.Sprint(trimmed), func(t *testing.T) { trimAndCrash(t, trimmed) })
	}
}

func trimAndCrash(t *testing.T, trimmed int64) {
	t.Parallel()
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxLogBytes: 64 << 20}
	ctx := t.Context()
	s, err := start(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.DefaultProduceTopic("t"), kgo.UnknownTopicRetries(-1), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 400<<10)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	const records = 40
	for range records {
		if err := cl.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var below kadm.Offsets
	below.Add(kadm.Offset{Topic: "t", At: trimmed})
	if answers, err := admin.DeleteRecords(ctx, below); err != nil || answers.Error() != nil {
		t.Fatal(err, answers.Error())
	}
	dead := t.TempDir() // what a kill -9 leaves
	if err := os.CopyFS(dead, os.DirFS(cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	s.Close()
	cfg.Dir = dead
	if s, err = start(t, cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(trimmed)}}
	cl, err = kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.ConsumePartitions(at), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	starts, err := kadm.NewClient(cl).ListStartOffsets(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := starts.Lookup("t", 0)
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := ends.Lookup("t", 0); e.Offset != records {
		t.Fatalf("the log ends at %d, want %d", e.Offset, records)
	}
	t.Logf("the broker says that its log begins at %d", o.Offset)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	next := trimmed
	for next < records {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("at offset %d: %v", next, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != next {
				t.Fatalf("offset %d comes, want %d", r.Offset, next)
			}
			next++
		})
	}
}
