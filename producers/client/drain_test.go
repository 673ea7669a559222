package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/spool"
	"github.com/millrace-io/millrace/schemas"
)

const spoolBytes = 64 << 20

// network is the way to the brokers; it can be cut.
type network struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (n *network) dial(ctx context.Context, kind, host string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil, errors.New("the network is cut")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, kind, host)
	if err == nil {
		n.conns = append(n.conns, c)
	}
	return c, err
}

func (n *network) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for _, c := range n.conns {
			_ = c.Close()
		}
		n.conns = nil
	}
}

func spooling(t testing.TB, at []string, dir string, opts ...Option) *Client {
	t.Helper()
	c, err := New(at, append([]Option{WithSpool(dir, spoolBytes), WithLog(slog.New(slog.NewTextHandler(io.Discard, nil)))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes texts with the ids e<from> to e<to-1>, and waits until all are acknowledged.
func send(t testing.TB, c *Client, from, to int) {
	t.Helper()
	var all []*Result
	for i := from; i < to; i++ {
		r, err := c.Text(t.Context(), &schemas.Text{Envelope: schemas.Envelope{EventID: fmt.Sprintf("e%d", i)}, Text: fmt.Sprintf("text %d", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, r := range all {
		if err := r.Wait(ctx); err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
	}
}

// arrive reads the log until it has as many different texts as wanted, with the text that
// belongs to each id, and returns how many records that were.
func arrive(t testing.TB, brokers []string, want int) (records int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topicText), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := map[string]bool{}
	for len(seen) < want {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d texts are on the log, want %d", len(seen), want)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var m schemas.Text
			if err := m.Unmarshal(r.Value); err != nil || m.EventID != string(r.Key) || m.Text != strings.Replace(m.EventID, "e", "text ", 1) {
				t.Errorf("the log holds %q under the key %q (%v)", r.Value, r.Key, err)
			}
			records++
			seen[m.EventID] = true
		})
	}
	return records
}

func closeWithin(t testing.TB, c *Client, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestSpoolOutlivesBroker writes while the brokers are away, closes, and lets another
// client on the folder write on; when the network is back all is on the log, once.
func TestSpoolOutlivesBroker(t *testing.T) {
	at, dir, way := broker(t), t.TempDir()+"/spool", &network{cut: true}
	c := spooling(t, at, dir, WithKafka(kgo.Dialer(way.dial)))
	send(t, c, 0, 500)
	if n, _ := c.Spooled(); n != 500 {
		t.Errorf("%d events wait in the spool, want 500", n)
	}
	closeWithin(t, c, 100*time.Millisecond)
	c = spooling(t, at, dir, WithKafka(kgo.Dialer(way.dial)))
	send(t, c, 500, 700)
	way.set(false)
	for n := range 5 { // cut again and again while it drains
		time.Sleep(time.Duration(n) * 5 * time.Millisecond)
		way.set(true)
		send(t, c, 700+n*10, 710+n*10)
		way.set(false)
	}
	closeWithin(t, c, 30*time.Second)
	if n, _ := c.Spooled(); n != 0 {
		t.Errorf("%d events wait in the spool after it was closed with time enough", n)
	}
	if got := arrive(t, at, 750); got < 750 {
		t.Errorf("%d records, want 750", got)
	}
	c = spooling(t, at, dir)
	if n, _ := c.Spooled(); n != 0 {
		t.Errorf("%d events wait in a spool that was drained and closed", n)
	}
	closeWithin(t, c, time.Second)
}

// TestSpoolMeetsErrors lets the broker refuse and fail produce requests in every way that
// a client meets, those included that end a producer; each is over after a while.
func TestSpoolMeetsErrors(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.MessageTooLarge, kerr.InvalidRecord,
		kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownProducerID, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.KafkaStorageError,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topicText))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			var mu sync.Mutex
			left := 3
			cluster.ControlKey(kmsg.Produce.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				mu.Lock()
				defer mu.Unlock()
				if left == 0 {
					return nil, nil, false
				}
				left--
				return refuse(req.(*kmsg.ProduceRequest), code), nil, true
			})
			c := spooling(t, cluster.ListenAddrs(), t.TempDir())
			send(t, c, 0, 300)
			if got := arrive(t, cluster.ListenAddrs(), 300); got < 300 {
				t.Errorf("%d records, want 300", got)
			}
			closeWithin(t, c, 10*time.Second)
			if n, problem := c.Spooled(); n != 0 || problem != nil {
				t.Errorf("%d events wait, problem %v; want all confirmed", n, problem)
			}
			mu.Lock()
			defer mu.Unlock()
			if left != 0 {
				t.Errorf("%d errors were not met", left)
			}
		})
	}
}

func refuse(req *kmsg.ProduceRequest, code *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range req.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, code.Code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// TestSpoolFull checks that a spool at its limit refuses, that nothing which it took is
// lost for that, and that it takes again when the log has taken some.
func TestSpoolFull(t *testing.T) {
	at, way := broker(t), &network{cut: true}
	c, err := New(at, WithSpool(t.TempDir(), spool.MinBytes), WithMaxBytes(1<<20), WithKafka(kgo.Dialer(way.dial)), WithLog(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 1<<19)
	var acknowledged []string
	for {
		r, err := c.Text(t.Context(), &schemas.Text{Text: big})
		if errors.Is(err, ErrFull) {
			break
		}
		if err == nil {
			err = r.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		acknowledged = append(acknowledged, r.ID)
	}
	if len(acknowledged) < spool.MinBytes>>20 {
		t.Errorf("it took %d events of 512 KiB, its files may hold %d MiB", len(acknowledged), spool.MinBytes>>20)
	}
	way.set(false)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if r, err := c.Text(t.Context(), &schemas.Text{Text: "more"}); err == nil {
			acknowledged = append(acknowledged, r.ID)
			break
		} else if !errors.Is(err, ErrFull) || time.Now().After(end) {
			t.Fatalf("with the broker back it gives %v", err)
		}
	}
	closeWithin(t, c, 20*time.Second)
	cl, err := kgo.NewClient(kgo.SeedBrokers(at...), kgo.ConsumeTopics(topicText), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(acknowledged) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d acknowledged events are not on the log", len(acknowledged))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			acknowledged = slices.DeleteFunc(acknowledged, func(id string) bool { return id == string(r.Key) })
		})
	}
}

func TestSpoolTooSmall(t *testing.T) {
	if _, err := New([]string{"127.0.0.1:1"}, WithSpool(t.TempDir(), spool.MinBytes)); err == nil || !strings.Contains(err.Error(), "let it hold more") {
		t.Errorf("a spool that cannot take the largest event gives %v", err)
	}
	dir := t.TempDir()
	c := spooling(t, []string{"127.0.0.1:1"}, dir)
	defer closeWithin(t, c, time.Millisecond)
	if _, err := New([]string{"127.0.0.1:1"}, WithSpool(dir, spoolBytes)); !errors.Is(err, spool.ErrInUse) {
		t.Errorf("a second client on the folder gives %v", err)
	}
}

func FuzzLead(f *testing.F) {
	f.Add(append(appendLead(nil, topicText, "id"), "value"...))
	f.Add(appendLead(nil, "", ""))
	f.Add([]byte{leadVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		topic, key, value, err := parseLead(b)
		if err != nil {
			return
		}
		again := append(appendLead(nil, topic, string(key)), value...)
		topic2, key2, value2, err := parseLead(again)
		if err != nil || topic2 != topic || !bytes.Equal(key2, key) || !bytes.Equal(value2, value) {
			t.Fatalf("%q: %q %q %q, written and read again %q %q %q (%v)", b, topic, key, value, topic2, key2, value2, err)
		}
	})
}
