package clean

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// fullable is a disk that is full when it is asked to be: a commit fails on it, behind
// outputs that have landed.
type fullable struct {
	vfs.FS
	full atomic.Bool
}

func (f *fullable) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if f.full.Load() {
		return vfs.DiskUsage{TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40}, nil
}

// landed reads a topic as it is, with what was written again.
func landed(t *testing.T, c *bustest.Cluster, b *bus.Bus, topic string) []*kgo.Record {
	t.Helper()
	ends, err := b.Ends(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Kafka.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	left := int64(0)
	for _, end := range ends {
		left += end
	}
	var all []*kgo.Record
	for int64(len(all)) < left {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// mixed are posts of every kind: good and malformed, ids that come again with the same
// content and with other, wrong keys, texts that one configuration takes and another not.
func mixed(rng *rand.Rand, n int) []*kgo.Record {
	var all []*kgo.Record
	for range n {
		id := fmt.Sprintf("id-%d", rng.IntN(2*n))
		topic, key, value := bus.RawText, id, ""
		switch rng.IntN(8) {
		case 0:
			value = `{"event_id":7}`
		case 1:
			key, value = "wrong", fmt.Sprintf(`{"event_id":%q,"text":"a text of %s"}`, id, id)
		case 2:
			value = fmt.Sprintf(`{"event_id":%q,"text":"another text %d"}`, id, rng.IntN(3))
		case 3:
			value = fmt.Sprintf(`{"event_id":%q,"text":%q}`, id, strings.Repeat("many words of "+id+" ", 200)) // above the small limit
		case 4:
			topic, value = bus.UserFeedback, fmt.Sprintf(`{"inference_id":%q,"thumb":"up"}`, id)
		case 5:
			topic, key, value = bus.UserFeedback, "", fmt.Sprintf(`{"event_id":"f%s","inference_id":%q,"rating":1}`, id, id)
		default:
			value = fmt.Sprintf(`{"event_id":%q,"text":"a text of %s"}`, id, id) // of 16 to 18 characters
		}
		all = append(all, bustest.Input(topic, key, []byte(value)))
	}
	return all
}

// changing is a stage whose rules, window, limits and version are drawn anew at each start,
// and which dies before its outputs are sent, or behind them and before its commit.
type changing struct {
	t     *testing.T
	c     *bustest.Cluster
	rng   *rand.Rand
	disk  *fullable
	kills int
	older bool // a version that reads no text is among them
}

var errKilled = errors.New("killed")

func (x *changing) stage() bus.Stage {
	cfg := rules.DefaultConfig()
	cfg.MinCharacters = 1 + x.rng.IntN(2)*17 // between one and all of the short texts
	cfg.MinLetters = .25 + float64(x.rng.IntN(2))*.7
	r, err := rules.New(cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	own := Config{IDWindow: time.Hour << x.rng.IntN(8)}
	stage, err := Stage(own, Deps{Rules: r, Tenant: "house", Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err != nil {
		x.t.Fatal(err)
	}
	stage.Limits.MaxRecords = 1 + x.rng.IntN(20)
	if x.older && x.rng.IntN(3) == 0 {
		stage = older(stage)
	}
	return stage
}

// run lets members come, change and die until so many were killed, then one finish.
func (x *changing) run(kills int) {
	x.t.Helper()
	large := bus.DefaultTopicsConfig()
	small := large
	small.MaxInputBytes = 1 << 10
	for {
		c := x.c.WithTopics([]bus.TopicsConfig{small, large}[x.rng.IntN(2)])
		if x.rng.IntN(3) == 0 {
			x.disk = &fullable{FS: vfs.NewMem()} // a member that has nothing of its own
		}
		x.disk.full.Store(false)
		b, leave := c.Leaving(x.disk)
		batches, before := int32(1+x.rng.IntN(6)), x.rng.IntN(2) == 0
		var n atomic.Int32
		err := c.Drain(b, bustest.Failing(x.stage(), func() error {
			if x.kills < kills && n.Add(1) >= batches {
				if before {
					return errKilled
				}
				x.disk.full.Store(true)
			}
			return nil
		}))
		leave()
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) && !errors.Is(err, disk.ErrFull) {
			x.t.Fatal(err)
		}
		x.kills++
	}
}

// TestChanges lets rules, limits, windows and versions change between a crash and its
// replay. Every record has one verdict, which is the first that landed, and all that landed
// lie on one partition; with one version of the decoder, no id lives twice.
func TestChanges(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprintf("versions=%v", older), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			x := &changing{t: t, c: bustest.New(t), rng: rand.New(rand.NewPCG(seed, 2)), disk: &fullable{FS: vfs.NewMem()}, older: older}
			b := x.c.Member(vfs.NewMem()) // which makes the topics, and reads them in the end
			for x.kills < 40 {
				x.c.Produce(mixed(x.rng, 120)...)
				x.run(min(x.kills+10, 40))
			}
			x.run(0) // what was written again under its right key
			all := verdicts(t, x.c, b)
			first := map[string]*kgo.Record{}
			twice := 0
			for _, topic := range []string{bus.CleanText, bus.Interactions} {
				for _, r := range landed(t, x.c, b, topic) {
					origin := headerOf(r, bus.HeaderOrigin)[:sameOrigin(r)]
					f := first[origin]
					if f == nil {
						first[origin] = r
						continue
					}
					twice++
					if f.Topic != r.Topic || f.Partition != r.Partition {
						t.Errorf("seed %d: a verdict lies on %s/%d and again on %s/%d", seed, f.Topic, f.Partition, r.Topic, r.Partition)
					}
				}
			}
			at := map[string]*kgo.Record{}
			for _, r := range first {
				at[fmt.Sprint(r.Topic, r.Partition, r.Offset)] = r
			}
			if len(first) != len(all) || twice == 0 {
				t.Fatalf("seed %d: %d records have %d verdicts, %d landed again", seed, len(all), len(first), twice)
			}
			kinds, alive := map[schemas.Kind]int{}, map[string]int{}
			for p, v := range all {
				kinds[v.Kind]++
				if at[fmt.Sprint(v.Topic, v.Partition.Partition, v.Offset)] == nil {
					t.Errorf("seed %d: the verdict on %s is %s at %s:%d, which was not the first to land", seed, p, v.Kind, v.Partition, v.Offset)
				}
				if v.Kind == schemas.KindCleanText || v.Kind == schemas.KindFeedback {
					alive[v.m.Env().Tenant+" "+v.m.Env().EventID]++
				}
			}
			for id, n := range alive {
				if n > 1 && !older {
					t.Errorf("seed %d: %s lives %d times", seed, id, n)
				}
			}
			t.Logf("%d kills, %d records, verdicts %v, %d written again", x.kills, len(all), kinds, twice)
			if x.kills != 40 || len(slices.Collect(maps.Keys(kinds))) != 5 {
				t.Errorf("seed %d: %d kills, verdicts %v: want 40 kills and verdicts of every kind", seed, x.kills, kinds)
			}
		})
	}
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// sameOrigin is the length of the part of an origin header that names the origin: what is
// behind it, the chain, differs between the stretches of work.
func sameOrigin(r *kgo.Record) int {
	h := headerOf(r, bus.HeaderOrigin)
	n := 2 + int(h[1]) + 16
	for numbers := 0; numbers < 3; n++ { // partition, offset, index
		if h[n] < 0x80 {
			numbers++
		}
	}
	return n
}
