package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func start(t *testing.T, cfg Config) (*Server, error) {
	t.Helper()
	return Start(context.Background(), cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// TestRestart checks that the log survives a stop, that a port in use is named, and that
// a full log says so.
func TestRestart(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxLogBytes: 64 << 20}
	ctx := context.Background()
	for round := range 3 {
		s, err := start(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.DefaultProduceTopic("t"), kgo.UnknownTopicRetries(-1))
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(round))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := ends.Lookup("t", 0); o.Offset != int64(round+1) {
			t.Fatalf("round %d: the log ends at %d", round, o.Offset)
		}
		cl.Close()
		other := cfg
		other.Dir, other.Listen = t.TempDir(), s.Addr()
		if _, err := start(t, other); err == nil || !strings.Contains(err.Error(), "--kafka-listen") {
			t.Fatalf("a port in use gave %v", err)
		}
		if err := s.Room(); err != nil {
			t.Fatal(err)
		}
		s.cfg.MaxLogBytes = 1
		s.measure()
		if err := s.Room(); err == nil || s.LogBytes() == 0 {
			t.Fatalf("a log of %d bytes above its limit of 1 has room", s.LogBytes())
		}
		s.Close()
	}
}

// TestFull checks that a full broker refuses inputs with an error that producers repeat,
// goes on taking what the stages write, and takes inputs again once there is room.
func TestFull(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxLogBytes: 64 << 20, Inputs: []string{"in"}, OwnHeader: "own"}
	s, err := start(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.RecordRetries(1), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := context.Background()
	if _, err := kadm.NewClient(cl).CreateTopics(ctx, 1, 1, nil, "in", "out"); err != nil {
		t.Fatal(err)
	}
	produce := func(topic string, headers ...kgo.RecordHeader) error {
		return cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: bytes.Repeat([]byte("x"), 1000), Headers: headers}).FirstErr()
	}
	limit := s.cfg.MaxLogBytes
	for range 2 {
		s.cfg.MaxLogBytes = 1
		s.measure()
		if err := produce("in"); !errors.Is(err, kerr.KafkaStorageError) || !kerr.IsRetriable(err) {
			t.Fatalf("an input to a full broker gave %v", err)
		}
		if err := produce("out"); err != nil {
			t.Fatalf("a stage cannot write to a full broker: %v", err)
		}
		if err := produce("in", kgo.RecordHeader{Key: "other"}, kgo.RecordHeader{Key: "own", Value: []byte("1")}); err != nil {
			t.Fatalf("a stage cannot write to an input of a full broker: %v", err)
		}
		s.cfg.MaxLogBytes = limit
		s.measure()
		if err := produce("in"); err != nil {
			t.Fatalf("an input to a broker that has room again gave %v", err)
		}
	}
}
