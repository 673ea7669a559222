//go:build synctests

package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// post is an event that a producer sends, and what must come of it the first time that its
// id is read.
type post struct {
	topic, key, id string
	value          []byte
	wants          schemas.Kind
	inference      string // that a feedback speaks of
	strayed        bool   // its key is not its id
}

// acked is a post that the broker has acknowledged.
type acked struct {
	*post
	partition int32
	offset    int64
}

// book is the producers' own ledger.
type book struct {
	posts map[string]*post // by topic and value, which is each post's own
	acked []acked
}

func (b *book) of(topic string, value []byte) *post { return b.posts[topic+string(value)] }

var words = strings.Fields("the river carries what the mill grinds and nobody asks where water goes when wheels stand still at night under old stones")

func sentence(random *rand.Rand, about string) string {
	s := []string{about}
	for range 6 + random.IntN(10) {
		s = append(s, words[random.IntN(len(words))])
	}
	return strings.Join(s, " ")
}

// workload makes up what is posted, in its order; some of it several times, some under an
// id that has other content, some that cannot be read, some under a key that is not its id.
func workload(random *rand.Rand) (all []*post) {
	var inferences, feedbacks int
	add := func(topic, id string, wants schemas.Kind, m schemas.Message) *post {
		p := &post{topic: topic, key: id, id: id, wants: wants}
		if random.IntN(2) == 0 {
			p.value = m.AppendJSON(nil)
		} else {
			p.value = m.MarshalAppend(nil)
		}
		all = append(all, p)
		return p
	}
	env := func(id string) schemas.Envelope { return schemas.Envelope{EventID: id} }
	for i := range 10 + random.IntN(50) {
		id := fmt.Sprintf("e%d", i)
		switch n := random.IntN(20); {
		case n < 6:
			add(bus.RawText, id, schemas.KindCleanText, &schemas.Text{Envelope: env(id), Text: sentence(random, id)})
		case n < 7:
			add(bus.RawText, id, schemas.KindRejected, &schemas.Text{Envelope: env(id), Text: "#### " + id + " ++++ ---- //// ==== ++++ ****"})
		case n < 8:
			all = append(all, &post{topic: bus.RawText, key: id, id: id, wants: schemas.KindDeadLetter, value: []byte(`{"event_id":"` + id + `","text":`)})
		case n < 9:
			add(bus.RawText, id, schemas.KindCleanText, &schemas.Text{Envelope: env(id), Text: sentence(random, id)}).stray(random)
		case n < 10 && len(all) > 0: // other content under an id that is known
			if old := all[random.IntN(len(all))]; old.topic == bus.RawText && old.wants != schemas.KindDeadLetter && !old.strayed {
				add(bus.RawText, old.id, schemas.KindCleanText, &schemas.Text{Envelope: env(old.id), Text: sentence(random, "other of "+id)})
			}
		case n < 12 && len(all) > 0: // the same again
			if old := all[random.IntN(len(all))]; !old.strayed {
				all = append(all, old)
			}
		case n < 16:
			name := fmt.Sprintf("i%d", inferences)
			inferences++
			p := add(bus.InferenceLogs, name, schemas.KindInference, &schemas.Inference{Envelope: env(name), RequestModel: "m", Prediction: "good", InputMessages: sentence(random, name)})
			if random.IntN(8) == 0 {
				p.stray(random)
			}
		default: // on an inference that was posted, or will be, or never is
			name := fmt.Sprintf("f%d", feedbacks)
			feedbacks++
			of := fmt.Sprintf("i%d", random.IntN(inferences+3))
			p := add(bus.UserFeedback, name, schemas.KindFeedback, &schemas.Feedback{Envelope: env(name), InferenceID: of, Thumb: "up"})
			p.key, p.inference = of, of
		}
	}
	return all
}

// stray puts a post under a key that is not its id, or none.
func (p *post) stray(random *rand.Rand) {
	p.strayed, p.key = true, ""
	if random.IntN(2) == 0 {
		p.key = "wrong-" + p.id
	}
}

// produce posts everything, each until it is acknowledged. A client that fails, or is cut
// off in the midst, is replaced, and what it was not told of is posted again.
func (w *world) produce(random *rand.Rand, posts []*post) {
	for _, p := range posts {
		w.book.posts[p.topic+string(p.value)] = p
	}
	left := posts
	for len(left) > 0 {
		h := w.newHost(producerLoss)
		client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(h.dial), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.MetadataMinAge(250*time.Millisecond), kgo.ProducerLinger(0), kgo.DisableClientMetrics())
		if err != nil {
			w.fail("a producer: %v", err)
			return
		}
		for n := 1 + random.IntN(2*len(left)); n > 0 && len(left) > 0; {
			batch := left[:min(len(left), 1+random.IntN(16))]
			n -= len(batch)
			if random.IntN(12) == 0 { // it dies with a batch in flight
				time.AfterFunc(time.Duration(random.IntN(50))*time.Millisecond, h.die)
			}
			if !w.send(client, batch) {
				break
			}
			left = left[len(batch):]
			time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		}
		h.die()
		client.Close()
	}
}

// sendTimeout is after how long without an answer a producer gives up its client.
const sendTimeout = 20 * time.Second

// send posts a batch and notes what was acknowledged; it says whether all of it was. Where
// it is not, the client is closed: an idempotent one never gives up what is in flight.
func (w *world) send(client *kgo.Client, batch []*post) bool {
	timer := time.AfterFunc(sendTimeout, client.Close)
	defer timer.Stop()
	records := make([]*kgo.Record, len(batch))
	for i, p := range batch {
		records[i] = &kgo.Record{Topic: p.topic, Value: p.value}
		if p.key != "" {
			records[i].Key = []byte(p.key)
		}
	}
	all := true
	for _, r := range client.ProduceSync(context.Background(), records...) {
		if r.Err != nil {
			all = false
			continue
		}
		w.book.acked = append(w.book.acked, acked{w.book.of(r.Record.Topic, r.Record.Value), r.Record.Partition, r.Record.Offset})
	}
	return all
}
