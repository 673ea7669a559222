//go:build integration

package integration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// wholeLog reads a topic from its start to its present end as any Kafka client does:
// none of Millrace's reading code is in it.
func wholeLog(t testing.TB, broker, topic string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var want, got int64 // kfake's logs have no holes
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	var out []*kgo.Record
	for got < want {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, _ := ends.Lookup(topic, r.Partition); r.Offset < end.Offset {
				out = append(out, r)
				got++
			}
		})
	}
	slices.SortFunc(out, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return out
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// site is where a record lies.
type site struct {
	topic     string
	partition int32
	offset    int64
}

// booked is an input record with what must have become of it.
type booked struct {
	*entry
	place   site
	arrived time.Time
}

// ledger is what the test knows by itself of everything that it sent.
type ledger struct {
	m       *millrace
	client  *kgo.Client
	entries []*entry
	landed  map[site]*entry // direct ones

	// unmerged asks the views with final = 0, which a reader may not.
	unmerged bool
}

const withoutFinal = " SETTINGS final = 0"

func (l *ledger) setting() string {
	if l.unmerged {
		return withoutFinal
	}
	return ""
}

func newLedger(m *millrace) *ledger {
	m.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(client.Close)
	return &ledger{m: m, client: client, landed: map[site]*entry{}}
}

// window is how many events at most share requests; of different paths, the order within
// a window is the author's choice.
const window = 16

// send sends entries; the order of those under one id stays.
func (l *ledger) send(a *author, entries ...*entry) {
	l.m.t.Helper()
	l.entries = append(l.entries, entries...)
	for chunk := range slices.Chunk(entries, window) {
		for _, path := range a.paths() {
			var bodies []string
			for _, e := range chunk {
				if !e.direct && e.path == path {
					bodies = append(bodies, string(e.body))
				}
			}
			if len(bodies) == 0 {
				continue
			}
			if status, answer := l.m.post(path, "application/json", []byte("["+strings.Join(bodies, ",")+"]")); status != 202 || strings.Contains(answer, "errors") {
				l.m.t.Fatalf("POST %s: %d %s\n%s", path, status, answer, bodies)
			}
		}
		for _, e := range chunk {
			if e.direct {
				l.write(e)
			}
		}
	}
}

func (l *ledger) write(e *entry) {
	l.m.t.Helper()
	r := &kgo.Record{Topic: e.topic, Value: e.body, Timestamp: e.when}
	if e.key != "" {
		r.Key = []byte(e.key)
	}
	if e.media != "" {
		r.Headers = []kgo.RecordHeader{{Key: "content-type", Value: []byte(e.media)}}
	}
	if err := l.client.ProduceSync(l.m.t.Context(), r).FirstErr(); err != nil {
		l.m.t.Fatal(err)
	}
	l.landed[site{r.Topic, r.Partition, r.Offset}] = e
}

// books reads the inputs and says of every record on them what must have become of it.
func (l *ledger) books() []*booked {
	l.m.t.Helper()
	type name struct{ topic, tenant, id string }
	waiting, copies := map[name][]*entry{}, map[name]*entry{}
	traffic := map[string]bool{}
	for _, e := range l.entries {
		n := name{e.topic, e.tenant, e.id}
		if !e.direct {
			waiting[n] = append(waiting[n], e)
		}
		if e.copied != nil {
			copies[n] = e.copied
		}
		if e.text != nil && e.text.traffic {
			traffic[e.id] = true
		}
	}
	var out []*booked
	for _, topic := range []string{"raw.text", "inference.logs", "user.feedback"} {
		arrived := map[int32]time.Time{}
		for _, r := range wholeLog(l.m.t, l.m.Kafka, topic) {
			// An arrival is the record's time, but never goes back.
			if r.Timestamp.After(arrived[r.Partition]) {
				arrived[r.Partition] = r.Timestamp
			}
			b := &booked{place: site{topic, r.Partition, r.Offset}, arrived: arrived[r.Partition]}
			out = append(out, b)
			if b.entry = l.landed[b.place]; b.entry != nil {
				continue
			}
			m := map[string]schemas.Message{"raw.text": new(schemas.Text), "inference.logs": new(schemas.Inference), "user.feedback": new(schemas.Feedback)}[topic]
			decode := m.Unmarshal
			if headerOf(r, "content-type") != "application/x-protobuf" && r.Value[0] == '{' {
				decode = m.DecodeJSON
			}
			if err := decode(r.Value); err != nil {
				l.m.t.Fatalf("%v: %v", b.place, err)
			}
			n := name{topic, cmp.Or(m.Env().Tenant, "default"), m.Env().EventID}
			switch inf, _ := m.(*schemas.Inference); {
			case headerOf(r, "mr-origin") != "" && copies[n] != nil:
				b.entry = copies[n]
				delete(copies, n)
			case headerOf(r, "mr-origin") != "" && inf != nil && traffic[inf.TextID]:
				delete(traffic, inf.TextID) // each text is answered once
				b.entry = &entry{topic: topic, tenant: n.tenant, id: n.id, table: "inferences",
					call: &call{model: "default", version: inf.ModelVersion, role: "champion", textID: inf.TextID, prediction: inf.Prediction}}
			case len(waiting[n]) > 0:
				b.entry = waiting[n][0]
				waiting[n] = waiting[n][1:]
			default:
				l.m.t.Fatalf("%v holds %s of %s, which the test knows nothing of", b.place, n.id, n.tenant)
			}
		}
	}
	for n, rest := range waiting {
		if len(rest) > 0 {
			l.m.t.Errorf("%d of %v are on no log", len(rest), n)
		}
	}
	for n := range copies {
		l.m.t.Errorf("%v was not written again under its key", n)
	}
	for id := range traffic {
		l.m.t.Errorf("the champion did not answer for %s", id)
	}
	return out
}

// answers are the champion's inferences by the text that they are of, as far as the log
// has them.
func (l *ledger) answers() map[string]*schemas.Inference {
	l.m.t.Helper()
	out := map[string]*schemas.Inference{}
	for _, r := range wholeLog(l.m.t, l.m.Kafka, "inference.logs") {
		var inf schemas.Inference
		if headerOf(r, "mr-origin") != "" && inf.Unmarshal(r.Value) == nil && inf.TextID != "" {
			out[inf.TextID] = &inf
		}
	}
	return out
}

// example is an inference joined with a feedback.
type example struct {
	inference, feedback *booked
	revision            int
	label               string
	right               *bool
}

// join says what examples there must be: of each inference all feedback that is clean, in
// the order in which it was posted, whenever the inference came. The last counts.
func join(books []*booked) (inferences []*booked, examples map[*booked][]example) {
	type name struct{ tenant, id string }
	byID := map[name]*booked{}
	for _, b := range books {
		if b.table == "inferences" {
			byID[name{b.tenant, b.id}] = b
			inferences = append(inferences, b)
		}
	}
	examples = map[*booked][]example{}
	for _, b := range books { // a partition's in order, and an inference's are on one
		if b.table != "feedback" || !b.judged.joined {
			continue
		}
		inf := byID[name{b.tenant, b.judged.inference}]
		x := example{inference: inf, feedback: b, revision: len(examples[inf]) + 1, label: b.judged.label, right: b.judged.right(inf.call.prediction)}
		if x.label == "" && x.right != nil && *x.right {
			x.label = inf.call.prediction // what was confirmed is the right answer
		}
		examples[inf] = append(examples[inf], x)
	}
	return inferences, examples
}

// How ClickHouse prints values in tab separated answers.

func sqlTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

func sqlBool(b *bool) string {
	if b == nil {
		return `\N`
	}
	return fmt.Sprint(*b)
}

func row(values ...any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, "\t")
}

// agree waits until a query gives exactly the rows that want says, in any order.
func (l *ledger) agree(name string, want func() []string, query string) {
	l.m.t.Helper()
	var missing, extra []string
	var err error
	asker := l.m.trySQL
	if strings.HasSuffix(query, withoutFinal) {
		asker = l.m.tryAdmin
	}
	for until := time.Now().Add(patience / 12); time.Now().Before(until); time.Sleep(4 * lookEach) {
		var answer string
		if answer, err = asker(query); err != nil {
			continue
		}
		missing, extra = differences(want(), strings.Split(answer, "\n"))
		if len(missing)+len(extra) == 0 {
			return
		}
	}
	show := func(rows []string) string { return "\n\t" + strings.Join(rows[:min(len(rows), 12)], "\n\t") }
	l.m.t.Errorf("%s does not agree with the ledger (%v): %d rows of the ledger are missing:%s\n%d rows are not in the ledger:%s",
		name, err, len(missing), show(missing), len(extra), show(extra))
}

// differences compares two lists of rows as multisets.
func differences(want, got []string) (missing, extra []string) {
	n := map[string]int{}
	for _, r := range want {
		n[r]++
	}
	for _, r := range got {
		if n[r]--; n[r] < 0 && r != "" {
			extra = append(extra, r)
		}
	}
	for r, left := range n {
		for ; left > 0; left-- {
			missing = append(missing, r)
		}
	}
	slices.Sort(missing)
	slices.Sort(extra)
	return missing, extra
}
