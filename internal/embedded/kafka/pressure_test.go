package kafka

import (
	"bytes"
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPressure: the broker and whoever asks it agree on when its log nears its limit, and
// what others ask of log directories is answered as ever.
func TestPressure(t *testing.T) {
	ctx := context.Background()
	s, err := start(t, Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", MaxLogBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.DefaultProduceTopic("t"), kgo.UnknownTopicRetries(-1), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	if ours, err := Embedded(ctx, cl); err != nil || !ours {
		t.Fatalf("the embedded broker says that it is none: %v", err)
	}
	check := func(want bool) {
		t.Helper()
		s.measure()
		asked, err := PressedAt(ctx, cl)
		if err != nil || asked != want || s.Pressed() != want {
			t.Fatalf("with %d bytes it is pressed: %v, and says %v (%v); want %v", s.LogBytes(), s.Pressed(), asked, err, want)
		}
	}
	check(false)
	value := bytes.Repeat([]byte("0123456789abcdef"), 60<<10/16)
	for s.LogBytes() < 50<<20 {
		var batch []*kgo.Record
		for range 64 {
			batch = append(batch, &kgo.Record{Value: value})
		}
		if err := cl.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		s.measure()
	}
	check(true)
	dirs, err := kadm.NewClient(cl).DescribeAllLogDirs(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	dirs.Each(func(d kadm.DescribedLogDir) { n += d.Size() })
	if n < 48<<20 {
		t.Errorf("whoever asks for all is told that the topic has %d bytes", n)
	}
}

// TestOther: a broker that is no embedded one is never asked.
func TestOther(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if ours, err := Embedded(context.Background(), cl); err != nil || ours {
		t.Errorf("another's broker is taken for an embedded one (%v)", err)
	}
}
