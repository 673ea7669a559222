package kafka

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
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
