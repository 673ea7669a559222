//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// badRecord is a record as a stranger puts it on an input topic, and its verdict.
type badRecord struct {
	name, topic, key, value string
	headers                 []kgo.RecordHeader
	table                   string
	id                      string // of the verdict; empty where Millrace makes one
	class                   string // the rule, or the reason
	detail                  string
}

func badRecords() []badRecord {
	const text, inferences, feedback = "raw.text", "inference.logs", "user.feedback"
	const dead, rejected, duplicates = "dead_letters", "rejected", "duplicates"
	asJSON := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}}
	forged := []kgo.RecordHeader{{Key: "mr-origin", Value: []byte("clean:0:0")}, {Key: "mr-mac", Value: bytes.Repeat([]byte{1}, 32)}}
	return []badRecord{
		{"no JSON and no Protobuf", text, "a", "hello", nil, dead, "", "invalid_protobuf", "invalid_protobuf: "},
		{"said to be JSON", text, "b", "hello", asJSON, dead, "", "invalid_json", "invalid_json: an event is a JSON object (at byte 0)"},
		{"cut short", text, "c", `{"id":"c","text":"ab`, nil, dead, "c", "invalid_json", "(at byte "},
		{"wrong type", text, "d", `{"id":"d","text":7}`, nil, dead, "d", "invalid_field", "invalid_field: text: wants a string, got a number (at byte 17)"},
		{"unknown field", text, "e", `{"id":"e","txt":"x"}`, nil, dead, "e", "unknown_field", `unknown_field: txt: no such field; the nearest is "text" (at byte 10)`},
		{"invalid UTF-8", text, "f", "{\"id\":\"f\",\"text\":\"\xff\"}", nil, dead, "f", "invalid_json", "invalid_json: text: a string is not UTF-8 (at byte 18)"},
		{"a binary", text, "g", "\x1f\x8b\x08\x00\x00\x00", nil, dead, "", "invalid_protobuf", "invalid_protobuf: "},
		{"an empty value", text, "", "", nil, rejected, "", "empty", "nothing is left of the text"},
		{"a long id", text, "h", `{"id":"` + strings.Repeat("h", 129) + `","text":"x"}`, nil, dead, "", "too_large", "too_large: event_id: has 129 bytes, the limit is 128"},
		{"no model", inferences, "i", `{"id":"i"}`, nil, dead, "i", "missing_field", "missing_field: request_model: is required"},
		{"no inference id", feedback, "j", `{"id":"j","thumb":"up"}`, nil, dead, "j", "missing_field", "missing_field: inference_id: is required"},

		{"year 3000", text, "y", `{"id":"y",` + yearFuture + `,"text":"soon"}`, nil, rejected, "y", "event_time_future", "event_time 3000-01-01T00:00:00Z is further ahead of its arrival than 8760h0m0s"},
		{"year 3000, an inference", inferences, "y", `{"id":"y",` + yearFuture + `,"model":"m"}`, nil, rejected, "y", "event_time_future", "event_time 3000-01-01T00:00:00Z"},
		{"three megabytes", text, "z", `{"id":"z","text":"` + strings.Repeat("many words ", 3*megabyte/11) + `"}`, nil, rejected, "z", "too_long", "at most 1000000 are taken"},
		{"twelve megabytes, packed", text, "packed", strings.Repeat("{", 12*megabyte), nil, dead, "", "invalid_json", "invalid_json: "},
		{"no judgement", feedback, "n", `{"id":"n0","inference_id":"n"}`, nil, rejected, "n0", "no_judgement", "the feedback has no thumb"},
		{"a thumb that is none", feedback, "n", `{"id":"n1","inference_id":"n","thumb":"Up"}`, nil, rejected, "n1", "unknown_thumb", "the thumb is neither up nor down"},

		{"a good one", text, "twice", `{"id":"twice","text":"one content"}`, nil, "clean_text", "twice", "", ""},
		{"twice, same content", text, "twice", `{"text":"one content","id":"twice"}`, nil, duplicates, "twice", "repeated", ""},
		{"twice, other content", text, "twice", `{"id":"twice","text":"another content"}`, nil, dead, "twice", "id_conflict", "event_id was posted with other content at offset "},
		{"a forged origin", text, "forged", `{"id":"forged","text":"I was written by clean"}`, forged, "clean_text", "forged", "", ""},
		{"no id", text, "", `{"text":"nobody named this record"}`, nil, "clean_text", "", "", ""},
		{"under no key", text, "", `{"id":"keyless","text":"under no key"}`, nil, duplicates, "keyless", "rekeyed", ""},
		{"under another key", inferences, "else", `{"id":"astray","model":"m"}`, nil, duplicates, "astray", "rekeyed", ""},
		{"feedback on nothing", feedback, "never-comes", `{"id":"waits","inference_id":"never-comes","thumb":"up"}`, nil, "feedback", "waits", "", ""},
	}
}

// verdict is a row that clean gave a record.
type verdict struct{ table, id, class, detail string }

// verdicts are all of them by their records, topic/partition/offset, from SQL.
func (m *millrace) verdicts(topics map[string]string) map[string][]verdict {
	m.t.Helper()
	var parts []string
	for table, columns := range map[string]string{
		"clean_text": "'', ''", "inferences": "'', ''", "feedback": "'', ''",
		"duplicates": "reason, ''", "rejected": "rule, detail", "dead_letters": "reason, detail",
	} {
		parts = append(parts, fmt.Sprintf("SELECT '%s', _origin_topic_id, toString(_origin_partition), toString(_origin_offset), event_id, %s FROM %s WHERE _step = 'clean'", table, columns, table))
	}
	out := map[string][]verdict{}
	for line := range strings.Lines(m.sql("%s", strings.Join(parts, " UNION ALL "))) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 {
			m.t.Fatalf("a verdict has %d columns: %q", len(f), line)
		}
		at := topics[f[1]] + "/" + f[2] + "/" + f[3]
		out[at] = append(out[at], verdict{f[0], f[4], f[5], f[6]})
	}
	return out
}

// TestBadRecords puts bad records straight onto the log, where nobody answers, and checks
// that each has the one verdict, by name, and that the dead keep their bytes.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.ProducerBatchMaxBytes(32*megabyte))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cases := badRecords()
	at := map[string]string{} // name -> where it lies
	var bytesOfDead []string
	for _, c := range cases {
		r := &kgo.Record{Topic: c.topic, Value: []byte(c.value), Headers: c.headers}
		if c.key != "" {
			r.Key = []byte(c.key)
		}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		at[c.name] = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
		if c.table == "dead_letters" {
			const most = 8 * megabyte // twice the largest input: what was packed may be cut
			bytesOfDead = append(bytesOfDead, c.value[:min(len(c.value), most)])
		}
	}
	// What the broker does not take never was acknowledged, and its producer is told.
	plain, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.ProducerBatchMaxBytes(32*megabyte), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	tooLarge := &kgo.Record{Topic: "raw.text", Key: []byte("x"), Value: bytes.Repeat([]byte("x"), 5*megabyte)}
	if err := plain.ProduceSync(ctx, tooLarge).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 5 MiB gave %v, want %v", err, kerr.MessageTooLarge)
	}

	details, err := kadm.NewClient(cl).ListTopics(ctx, "raw.text", "inference.logs", "user.feedback")
	if err != nil {
		t.Fatal(err)
	}
	topics := map[string]string{}
	for name, d := range details {
		topics[fmt.Sprintf("%x", [16]byte(d.ID))] = name
	}
	rekeyed := 2 // each is written once more, under its id, and judged there
	var got map[string][]verdict
	until(t, func() bool { got = m.verdicts(topics); return len(got) >= len(cases)+rekeyed }, func() string {
		return fmt.Sprintf("%d records have verdicts, want %d", len(got), len(cases)+rekeyed)
	})
	for _, c := range cases {
		v := got[at[c.name]]
		delete(got, at[c.name])
		if len(v) != 1 {
			t.Errorf("%s: got the verdicts %q, want one", c.name, v)
			continue
		}
		idOK := v[0].id == c.id || c.id == "" && v[0].id != ""
		if v[0].table != c.table || v[0].class != c.class || !idOK || !strings.Contains(v[0].detail, c.detail) {
			t.Errorf("%s: got %q\nwant %q", c.name, v[0], verdict{c.table, c.id, c.class, c.detail})
		}
	}
	var again []string
	for _, vs := range got {
		for _, v := range vs {
			again = append(again, v.table+" "+v.id)
		}
	}
	if slices.Sort(again); !slices.Equal(again, []string{"clean_text keyless", "inferences astray"}) {
		t.Errorf("what was written again became %q", again)
	}
	if n := m.sql("SELECT count() FROM training_examples"); n != "0" {
		t.Errorf("there are %s training examples of feedback on nothing", n)
	}
	letters := valuesOf(t, m, "dead.letters", len(bytesOfDead))
	slices.Sort(letters)
	slices.Sort(bytesOfDead)
	if !slices.Equal(letters, bytesOfDead) {
		t.Errorf("dead.letters holds %.100q\nwant %.100q", letters, bytesOfDead)
	}
	m.verify()
	m.stop()
}

// TestBatchBomb puts a batch on the log that weighs little and unpacks to more than a
// reader may hold. Its records are dead, by name, and what comes behind it is not held up.
func TestBatchBomb(t *testing.T) {
	t.Parallel()
	m := up(t, t.TempDir())
	const records, each = 30, 3 * megabyte // more than the 64 MiB that a batch may unpack to
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.ProducerBatchMaxBytes(256*megabyte), kgo.BrokerMaxWriteBytes(512*megabyte),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ManualFlushing())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	value := []byte(`{"id":"bomb","text":"` + strings.Repeat("x", each) + `"}`)
	for range records {
		cl.Produce(t.Context(), &kgo.Record{Topic: "raw.text", Partition: 0, Key: []byte("bomb"), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("the broker does not take the batch: %v", err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.takes("bomb", "/v1/text", `{"id":"bomb","text":"in the same partition, behind it"}`)
	m.await(fmt.Sprintf("bomb\t%d", records), "SELECT (SELECT max(event_id) FROM clean_text), (SELECT count() FROM dead_letters WHERE reason = 'too_large' AND detail = 'its batch unpacks to more than is taken; send smaller batches')")
	m.verify()
	m.stop()
}

// valuesOf reads n records of a topic from its start, and as many more as there are.
func valuesOf(t *testing.T, m *millrace, topic string, n int) []string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var there int
	ends.Each(func(o kadm.ListedOffset) { there += int(o.Offset) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var values []string
	for len(values) < max(n, there) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %d of %d records, then %v", topic, len(values), max(n, there), err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// until waits for a condition; what says what was there in its place.
func until(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(lookEach) {
		if time.Now().After(end) {
			t.Fatalf("in %s: %s", patience, what())
		}
	}
}
