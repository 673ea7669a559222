package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// author makes records as no sound producer does. What it makes is a function of its
// random numbers.
type author struct {
	rng   *rand.Rand
	valid map[string][][]byte // by topic, JSON and Protobuf in turn
}

func newAuthor(rng *rand.Rand) (*author, error) {
	a := &author{rng: rng, valid: map[string][][]byte{}}
	for topic, of := range map[string]struct {
		kind   schemas.Kind
		bodies []string
	}{
		"raw.text": {schemas.KindText, []string{
			`{"id":"fuzz-0","text":"A text that is sound, until it is not."}`,
			`{"id":"fuzz-1","event_time":"2026-01-02T03:04:05Z","source":"s","subject":"u","license":"MIT","label":"spam","language":"en","text":"Write to ada@example.org.","attributes":{"a":"b","n":1,"deep":{"x":[1,2,{"y":null}]}}}`,
			`{"id":"fuzz-2","data":"PGI+Ym9sZDwvYj4=","content_type":"text/html"}`,
		}},
		"inference.logs": {schemas.KindInference, []string{
			`{"id":"fuzz-3","gen_ai.request.model":"m","input_messages":"Is it?","output_messages":"It is.","gen_ai.usage.input_tokens":12}`,
			`{"id":"fuzz-4","model":"m","output":"yes","attributes":{"k":"v"}}`,
		}},
		"user.feedback": {schemas.KindFeedback, []string{
			`{"id":"fuzz-5","inference_id":"fuzz-3","thumb":"up"}`,
			`{"id":"fuzz-6","inference_id":"fuzz-4","rating":0.5,"label":"x","comment":"c"}`,
		}},
	} {
		for _, body := range of.bodies {
			m := schemas.New(of.kind)
			if err := m.DecodeJSON([]byte(body)); err != nil {
				return nil, fmt.Errorf("%s: %w", body, err)
			}
			a.valid[topic] = append(a.valid[topic], []byte(body), m.MarshalAppend(nil))
		}
	}
	return a, nil
}

// record makes one.
func (a *author) record() *kgo.Record {
	topic := inputs[a.rng.IntN(len(inputs))]
	value := bytes.Clone(a.valid[topic][a.rng.IntN(len(a.valid[topic]))])
	if a.rng.IntN(3) == 0 { // an id of its own, or most would be repeats
		value = bytes.Replace(value, []byte("fuzz-"), fmt.Appendf(nil, "f%04d", a.rng.IntN(10_000))[:5], 1)
	}
	for range a.rng.IntN(4) {
		value = a.mutate(value)
	}
	r := &kgo.Record{Topic: topic, Value: value}
	switch a.rng.IntN(6) {
	case 0: // no key
	case 1:
		r.Key = []byte{}
	case 2:
		r.Key = a.bytes(1 + a.rng.IntN(200))
	default:
		r.Key = fmt.Appendf(nil, "fuzz-%d", a.rng.IntN(8))
	}
	if a.rng.IntN(50) == 0 {
		r.Value = nil // a tombstone
	}
	if a.rng.IntN(10) == 0 {
		r.Timestamp = time.UnixMilli(a.rng.Int64N(4e12)) // until the year 2096
	}
	r.Headers = a.headers()
	return r
}

// headers are content types that may be lies, and forged ones of Millrace's own.
func (a *author) headers() []kgo.RecordHeader {
	var all []kgo.RecordHeader
	if a.rng.IntN(2) == 0 {
		types := []string{"application/json", "application/x-protobuf", "text/plain", "application/json; charset=latin1", "", "\xff\x00"}
		all = append(all, kgo.RecordHeader{Key: "content-type", Value: []byte(types[a.rng.IntN(len(types))])})
	}
	for _, name := range []string{"mr-origin", "mr-mac", "mr-kind", "mr-replay", "traceparent"} {
		if a.rng.IntN(8) == 0 {
			all = append(all, kgo.RecordHeader{Key: name, Value: a.bytes(a.rng.IntN(80))})
		}
	}
	return all
}

func (a *author) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.rng.Uint32())
	}
	return b
}

// mutate spoils a value in one way.
func (a *author) mutate(v []byte) []byte {
	at := 0
	if len(v) > 0 {
		at = a.rng.IntN(len(v))
	}
	insert := func(b []byte) []byte { return append(append(append([]byte{}, v[:at]...), b...), v[at:]...) }
	switch a.rng.IntN(10) {
	case 0:
		return v[:at] // cut short
	case 1:
		if len(v) > 0 {
			v[at] ^= 1 << a.rng.IntN(8)
		}
		return v
	case 2:
		return insert(a.bytes(1 + a.rng.IntN(16)))
	case 3:
		return insert(v[at:]) // a part comes twice
	case 4:
		return insert([]byte("\xff\xfe\xed\xa0\x80")) // no UTF-8
	case 5:
		return insert([]byte([]string{"1e999", "-9223372036854775809", "18446744073709551616", "NaN", "\x00", `\ud800`, "3000-01-01T00:00:00Z"}[a.rng.IntN(7)]))
	case 6:
		return insert([]byte(strings.Repeat([]string{"[", "{\"a\":", "\"", "\\"}[a.rng.IntN(4)], 1+a.rng.IntN(2000))))
	case 7:
		return insert(binary.AppendUvarint(nil, a.rng.Uint64())) // a length or a tag that lies
	case 8:
		return insert(bytes.Repeat([]byte("long "), a.rng.IntN(1<<a.rng.IntN(14)))) // up to 40 kB
	default:
		return bytes.ReplaceAll(v, []byte("fuzz"), []byte("\x0a\x80\x80\x80\x80\x10"))
	}
}

// ordered are sound texts that were stamped one after the other over forty years, as an
// old archive is when it is poured into a topic with its own times.
func (a *author) ordered(n int) []*kgo.Record {
	var all []*kgo.Record
	for i := range n {
		id := fmt.Sprintf("old-%d", i)
		all = append(all, &kgo.Record{Topic: "raw.text", Key: []byte(id), Timestamp: time.Date(1980, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC),
			Value: fmt.Appendf(nil, `{"id":%q,"text":"An old text, the %d. of its archive."}`, id, i)})
	}
	return all
}

// bomb is a batch that weighs little and unpacks to more than a reader holds.
func bomb() []*kgo.Record {
	const records, each = 30, 3 << 20
	var all []*kgo.Record
	for range records {
		all = append(all, &kgo.Record{Topic: "raw.text", Key: []byte("bomb"), Value: []byte(`{"id":"bomb","text":"` + strings.Repeat("x", each) + `"}`)})
	}
	return all
}

// proveFuzz writes records straight to the inputs, where nobody answers: each has one
// verdict in each store, whatever it is.
func proveFuzz(r *run) error {
	const aRound = 50_000
	d, err := r.whole("")
	if err != nil {
		return err
	}
	return r.rounds(aRound, func(t *trial, records int) error {
		a, err := newAuthor(t.rng)
		if err != nil {
			return err
		}
		if err := d.start(t.ctx); err != nil {
			return err
		}
		defer d.halt()
		if err := t.spoil(d, a, records); err != nil {
			return err
		}
		if err := t.settle(d, nil); err != nil {
			return err
		}
		return d.stop()
	})
}

// spoil writes what is worst first, each in batches of its own, then what comes at random.
func (t *trial) spoil(d *deployment, a *author, records int) error {
	if t.round == 0 {
		for _, first := range [][]*kgo.Record{bomb(), a.ordered(480)} {
			if err := t.produce(d, first); err != nil {
				return err
			}
			records -= len(first)
		}
	}
	all := make([]*kgo.Record, 0, max(records, 0))
	for len(all) < records {
		all = append(all, a.record())
	}
	return t.produce(d, all)
}

// produce writes records and counts those that the broker took.
func (t *trial) produce(d *deployment, all []*kgo.Record) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.brokers...), kgo.ProducerBatchMaxBytes(256<<20), kgo.BrokerMaxWriteBytes(512<<20),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.MaxBufferedRecords(10_000))
	if err != nil {
		return err
	}
	defer client.Close()
	var taken atomic.Int64
	failed := make(chan error, 1)
	for _, r := range all {
		client.Produce(t.ctx, r, func(_ *kgo.Record, err error) {
			if err == nil {
				taken.Add(1)
				return
			}
			select {
			case failed <- err:
			default: // the first is told
			}
		})
	}
	if err := client.Flush(t.ctx); err != nil {
		return err
	}
	t.result.Faults["fuzzed record"] += int(taken.Load())
	select {
	case err := <-failed:
		return fmt.Errorf("the broker took %d of %d records: %w", taken.Load(), len(all), err)
	default:
		return errors.Join(t.ctx.Err())
	}
}
