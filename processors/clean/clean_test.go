package clean

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// TestVerdicts gives clean everything bad that can reach it.
func TestVerdicts(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	const text, inference, feedback = bus.RawText, bus.InferenceLogs, bus.UserFeedback
	cases := []struct {
		name, topic, key, value string
		headers                 []kgo.RecordHeader
		kind                    schemas.Kind
		class                   string
		detail                  string // a part of it
	}{
		{"good", text, "g1", `{"event_id":"g1","text":"Hello, world"}`, nil, schemas.KindCleanText, "", ""},
		{"space before", text, "g2", " \r\n\t" + `{"event_id":"g2","text":"Hello again"}`, nil, schemas.KindCleanText, "", ""},
		{"protobuf", text, "g3", string(protoText(func(m *schemas.Text) { m.EventID = "g3" })), nil, schemas.KindCleanText, "", ""},
		{"protobuf by header", text, "g4", string(protoText(func(m *schemas.Text) { m.EventID = "g4" })), []kgo.RecordHeader{header("application/x-protobuf")}, schemas.KindCleanText, "", ""},
		{"JSON in place of protobuf", text, "x1", `{"event_id":"x1","text":"hm"}`, []kgo.RecordHeader{header("application/x-protobuf")}, schemas.KindDeadLetter, "invalid_protobuf", ""},
		{"not JSON", text, "x2", `{"event_id":"x2","text":`, nil, schemas.KindDeadLetter, "invalid_json", ""},
		{"not JSON by header", text, "x3", `hello`, []kgo.RecordHeader{header("application/json")}, schemas.KindDeadLetter, "invalid_json", ""},
		{"two values", text, "x4", `{"event_id":"x4","text":"a"} {}`, nil, schemas.KindDeadLetter, "invalid_json", ""},
		{"wrong type", text, "x5", `{"event_id":"x5","text":7}`, nil, schemas.KindDeadLetter, "invalid_field", "text"},
		{"wrong time", text, "x6", `{"event_id":"x6","event_time":"yesterday","text":"a"}`, nil, schemas.KindDeadLetter, "invalid_field", "event_time"},
		{"time out of range", text, "x7", string(protoText(func(m *schemas.Text) { m.EventID, m.EventTime = "x7", 1<<62 })), nil, schemas.KindDeadLetter, "invalid_field", "event_time"},
		{"unknown field", text, "x8", `{"event_id":"x8","txet":"a"}`, nil, schemas.KindDeadLetter, "unknown_field", "text"},
		{"an address as a field", text, "x18", `{"event_id":"x18","joe@example.com":"a"}`, nil, schemas.KindDeadLetter, "unknown_field", "unknown_field: <EMAIL>: no such field"},
		{"invalid UTF-8 in JSON", text, "x9", "{\"event_id\":\"x9\",\"text\":\"a\xff\xfe\"}", nil, schemas.KindDeadLetter, "invalid_json", ""},
		{"invalid UTF-8 in protobuf", text, "x10", "\x12\x02\xff\xfe", nil, schemas.KindDeadLetter, "invalid_protobuf", "text"},
		{"cut protobuf", text, "x11", "\x12\x7fabc", nil, schemas.KindDeadLetter, "invalid_protobuf", ""},
		{"long id", text, "x12", `{"event_id":"` + strings.Repeat("é", 65) + `","text":"a"}`, nil, schemas.KindDeadLetter, "too_large", "event_id"},
		{"long id in protobuf", text, "x13", string(protoText(func(m *schemas.Text) { m.EventID, m.Tenant = strings.Repeat("é", 65), strings.Repeat("x", 1000) })), nil, schemas.KindDeadLetter, "too_large", ""},
		{"long subject", inference, "x14", `{"event_id":"x14","request_model":"m","subject":"` + strings.Repeat("s", 257) + `"}`, nil, schemas.KindDeadLetter, "too_large", "subject"},
		{"no model", inference, "x15", `{"event_id":"x15"}`, nil, schemas.KindDeadLetter, "missing_field", "request_model"},
		{"no inference", feedback, "x16", `{"event_id":"f","thumb":"up"}`, nil, schemas.KindDeadLetter, "missing_field", "inference_id"},
		{"nothing at all", text, "x17", ``, nil, schemas.KindRejected, "empty", ""},
		{"year 3000", text, "r1", `{"event_id":"r1","event_time":"3000-01-01T00:00:00Z","text":"a text"}`, nil, schemas.KindRejected, "event_time_future", ""},
		{"year 3000, inference", inference, "r2", `{"event_id":"r2","event_time":"3000-01-01T00:00:00Z","request_model":"m"}`, nil, schemas.KindRejected, "event_time_future", ""},
		{"no judgement", feedback, "r3", `{"event_id":"r3f","inference_id":"r3"}`, nil, schemas.KindRejected, "no_judgement", ""},
		{"unknown thumb", feedback, "r4", `{"event_id":"r4f","inference_id":"r4","thumb":"Up"}`, nil, schemas.KindRejected, "unknown_thumb", ""},
		{"no id", text, "", `{"text":"without an id"}`, nil, schemas.KindCleanText, "", ""},
		{"no id, some key", text, "some", `{"text":"without an id, with a key"}`, nil, schemas.KindCleanText, "", ""},
		{"good inference", inference, "i1", `{"event_id":"i1","gen_ai.request.model":"m"}`, nil, schemas.KindInference, "", ""},
		{"good feedback", feedback, "i1", `{"event_id":"f1","inference_id":"i1","thumb":"up"}`, nil, schemas.KindFeedback, "", ""},
	}
	records := make([]*kgo.Record, len(cases))
	for i, x := range cases {
		records[i] = bustest.Input(x.topic, x.key, []byte(x.value), x.headers...)
	}
	c.Produce(records...)
	c.MustDrain(b, newStage(t, time.Now))
	all := verdicts(t, c, b)
	dead := map[place]bus.Record{}
	for _, r := range c.Read(b, bus.DeadLetters) {
		for _, name := range []string{text, inference, feedback} {
			if topic, _ := b.Topic(name); topic.ID == r.Origin.TopicID {
				dead[place{name, r.Origin.Partition, r.Origin.Offset}] = r
			}
		}
	}
	for i, x := range cases {
		v := all[at(records[i])]
		if v.Kind != x.kind || v.class != x.class {
			t.Errorf("%s: got %s %s, want %s %s", x.name, v.Kind, v.class, x.kind, x.class)
			continue
		}
		if v.m.Env().Tenant == "" || v.m.Env().EventID == "" || v.m.Env().ArrivedAt == 0 || v.m.Env().RulesVersion == "" {
			t.Errorf("%s: the verdict's envelope lacks something: %+v", x.name, v.m.Env())
		}
		d, isDead := dead[at(records[i])]
		if letter, ok := v.m.(*schemas.DeadLetter); ok {
			if !strings.Contains(letter.Detail, x.detail) || letter.Bytes != int64(len(x.value)) {
				t.Errorf("%s: detail %q of %d bytes; want %q in it, and %d bytes", x.name, letter.Detail, letter.Bytes, x.detail, len(x.value))
			}
			if !isDead || string(d.Value) != x.value || string(d.Key) != x.key {
				t.Errorf("%s: its bytes are not on %s", x.name, bus.DeadLetters)
			}
		} else if isDead {
			t.Errorf("%s: its bytes are on %s, though it is %s", x.name, bus.DeadLetters, v.Kind)
		}
	}
	if len(c.Read(b, text))+len(c.Read(b, inference))+len(c.Read(b, feedback)) != len(cases) {
		t.Error("something was written again to an input")
	}
}

// TestTooLarge checks inputs that fit their topic while their verdict would not: letters
// of an old charset that take three bytes each, and what has to be written once more. A
// key that is no id is not in the way: it is not written on.
func TestTooLarge(t *testing.T) {
	topics := bus.DefaultTopicsConfig()
	topics.MaxInputBytes = 100 << 10
	c := bustest.NewWith(t, topics)
	b := c.Member(vfs.NewMem())
	text := func(lines int) []byte {
		m := schemas.Text{ContentType: "text/plain; charset=windows-1252"}
		for i := range lines {
			m.Data = fmt.Appendf(m.Data, "%08d%s\n", i*7919, bytes.Repeat([]byte{0x80, 0x80, 0x9a}, 30))
		}
		return m.MarshalAppend(nil)
	}
	fits := bustest.Input(bus.RawText, "", text(500))
	long := bustest.Input(bus.RawText, "", text(1000))
	longKey := bustest.Input(bus.RawText, strings.Repeat("k", 100<<10), text(500))
	// What its topic takes, but not once more.
	wrongKey := bustest.Input(bus.RawText, "wrong", protoText(func(m *schemas.Text) { m.EventID, m.Text = "x", strings.Repeat("x", 120<<10) }))
	c.Produce(fits, long, longKey, wrongKey)
	c.MustDrain(b, newStage(t, time.Now))
	all := verdicts(t, c, b)
	for _, r := range []*kgo.Record{fits, longKey} {
		if v := all[at(r)]; v.Kind != schemas.KindCleanText || len(v.Key) > 0 {
			t.Errorf("a text that fits, key of %d bytes: %s %s under a key of %d bytes", len(r.Key), v.Kind, v.class, len(v.Key))
		}
	}
	for _, r := range []*kgo.Record{long, wrongKey} {
		if v := all[at(r)]; v.Kind != schemas.KindDeadLetter || v.class != "too_large" {
			t.Errorf("key of %d bytes, value of %d: %s %s, want dead_letters too_large", len(r.Key), len(r.Value), v.Kind, v.class)
		}
	}
	if letters := c.Read(b, bus.DeadLetters); len(letters) != 2 {
		t.Errorf("%d records are on %s, want 2", len(letters), bus.DeadLetters)
	}
}

// TestRepeatedIDs checks what becomes of an id that comes again.
func TestRepeatedIDs(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	post := func(value string) *kgo.Record { return bustest.Input(bus.RawText, "a", []byte(value)) }
	records := []*kgo.Record{
		post(`{"event_id":"a","text":"one text"}`),
		post(`{"event_id":"a","text":"one text","event_time":"2026-01-01T00:00:00Z","trace_id":"0f"}`),
		post(`{"event_id":"a","text":"another text"}`),
		post(`{"event_id":"a","text":"one text","tenant":"other"}`),
		post(`{"event_id":"a","text":"one text","tenant":"house"}`),
		bustest.Input(bus.InferenceLogs, "a", []byte(`{"event_id":"a","request_model":"m"}`)),
		post(`{"event_id":"a","text":"broken`),
		post(`{"event_id":"a","text":"one text"}`),
	}
	c.Produce(records...)
	c.MustDrain(b, newStage(t, time.Now))
	all := verdicts(t, c, b)
	first := records[0]
	for i, want := range []struct {
		kind  schemas.Kind
		class string
	}{
		{schemas.KindCleanText, ""},
		{schemas.KindDuplicate, "repeated"},
		{schemas.KindDeadLetter, "id_conflict"},
		{schemas.KindCleanText, ""}, // ids are a tenant's own
		{schemas.KindDuplicate, "repeated"},
		{schemas.KindInference, ""}, // and a topic's
		{schemas.KindDeadLetter, "invalid_json"},
		{schemas.KindDuplicate, "repeated"},
	} {
		v := all[at(records[i])]
		if v.Kind != want.kind || v.class != want.class {
			t.Errorf("record %d: got %s %s, want %s %s", i, v.Kind, v.class, want.kind, want.class)
		}
		if d, ok := v.m.(*schemas.Duplicate); ok && (d.FirstPartition != first.Partition || d.FirstOffset != first.Offset || d.Topic != bus.RawText) {
			t.Errorf("record %d is a duplicate of %s/%d at %d, want %s", i, d.Topic, d.FirstPartition, d.FirstOffset, at(first))
		}
		if d, ok := v.m.(*schemas.DeadLetter); ok && i == 2 && !strings.Contains(d.Detail, fmt.Sprintf("offset %d of partition %d", first.Offset, first.Partition)) {
			t.Errorf("record %d: %q does not name the first post, %s", i, d.Detail, at(first))
		}
	}
	if letters := c.Read(b, bus.DeadLetters); len(letters) != 2 || string(letters[0].Value) != string(records[2].Value) {
		t.Errorf("%d records are on %s, want 2, the conflicting one first", len(letters), bus.DeadLetters)
	}
}

// TestNames checks that no tenant and id can be taken for others.
func TestNames(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	var records []*kgo.Record
	c1, b1 := "", ""
	for i := 0; c1 == "" || bus.PartitionOf([]byte(c1), 2) != bus.PartitionOf([]byte(b1), 2); i++ {
		c1 = fmt.Sprint("c", i)
		b1 = "b\x00" + c1
	}
	for _, n := range [][2]string{{"a", b1}, {"a\x00b", c1}} {
		m := schemas.Text{Text: "same text"}
		m.Tenant, m.EventID = n[0], n[1]
		records = append(records, bustest.Input(bus.RawText, n[1], m.MarshalAppend(nil)))
	}
	c.Produce(records...)
	c.MustDrain(b, newStage(t, time.Now))
	for _, v := range verdicts(t, c, b) {
		if v.Kind != schemas.KindCleanText {
			t.Errorf("tenant %q, id %q is taken for another: %s", v.m.Env().Tenant, v.m.Env().EventID, v.class)
		}
	}
}

// TestRekeyed checks that a record whose key is not its event's is written again under
// it, and judged there once.
func TestRekeyed(t *testing.T) {
	for _, x := range []struct {
		name, topic, key, want, value string
		partition                     int
		kind                          schemas.Kind
	}{
		{"wrong key", bus.RawText, "wrong", "t1", `{"event_id":"t1","text":"a text"}`, -1, schemas.KindCleanText},
		{"empty key", bus.InferenceLogs, "", "i1", `{"event_id":"i1","request_model":"m"}`, -1, schemas.KindInference},
		{"feedback under its own id", bus.UserFeedback, "f1", "i1", `{"event_id":"f1","inference_id":"i1","thumb":"up"}`, -1, schemas.KindFeedback},
		{"feedback without an id", bus.UserFeedback, "", "i1", `{"inference_id":"i1","thumb":"up"}`, -1, schemas.KindFeedback},
		{"another client's partitioner", bus.RawText, "t2", "t2", `{"event_id":"t2","text":"a text"}`, 1 - int(bus.PartitionOf([]byte("t2"), 2)), schemas.KindCleanText},
		{"protobuf", bus.RawText, "wrong", "t3", string(protoText(func(m *schemas.Text) { m.EventID = "t3" })), -1, schemas.KindCleanText},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := bustest.New(t)
			b := c.Member(vfs.NewMem())
			r := bustest.Input(x.topic, x.key, []byte(x.value))
			if x.partition >= 0 {
				bustest.OnPartition(r, x.partition)
			}
			c.Produce(r)
			stage := newStage(t, time.Now)
			c.MustDrain(b, stage)
			c.MustDrain(b, stage) // what it wrote to its own input
			c.MustDrain(b, stage) // and nothing more comes
			in := c.Read(b, x.topic)
			if len(in) != 2 {
				t.Fatalf("%s holds %d records, want the post and its copy", x.topic, len(in))
			}
			var again bus.Record
			for _, i := range in {
				if i.Derived {
					again = i
				}
			}
			if string(again.Key) != x.want || string(again.Value) != x.value || again.Partition.Partition != bus.PartitionOf([]byte(x.want), 2) {
				t.Fatalf("the copy has key %q on partition %d and value %q", again.Key, again.Partition.Partition, again.Value)
			}
			all := verdicts(t, c, b)
			if v := all[at(r)]; v.Kind != schemas.KindDuplicate || v.class != "rekeyed" {
				t.Errorf("the post's verdict is %s %s, want duplicates rekeyed", v.Kind, v.class)
			}
			if v := all[place{x.topic, again.Partition.Partition, again.Offset}]; v.Kind != x.kind {
				t.Errorf("the copy's verdict is %s %s, want %s", v.Kind, v.class, x.kind)
			}
		})
	}
}

// TestOrder checks that verdicts of one key stand in the order of its posts, those of an
// inference and its feedback on one partition, whatever the verdicts are.
func TestOrder(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	var records []*kgo.Record
	for i := range 300 {
		id := fmt.Sprintf("id-%d", i%20)
		switch i % 3 {
		case 0:
			records = append(records, bustest.Input(bus.InferenceLogs, id, fmt.Appendf(nil, `{"event_id":%q,"request_model":"m"}`, id)))
		case 1:
			records = append(records, bustest.Input(bus.UserFeedback, id, fmt.Appendf(nil, `{"event_id":"f%d","inference_id":%q,"thumb":"up"}`, i, id)))
		default:
			records = append(records, bustest.Input(bus.UserFeedback, id, []byte(`{"broken`)))
		}
	}
	c.Produce(records...)
	c.MustDrain(b, newStage(t, time.Now))
	verdicts(t, c, b)
	last := map[string]int64{} // by topic and key: the last origin's offset
	partition := map[string]int32{}
	for _, r := range c.Read(b, bus.Interactions) {
		if p, ok := partition[string(r.Key)]; ok && p != r.Partition.Partition {
			t.Fatalf("key %s is on partitions %d and %d", r.Key, p, r.Partition.Partition)
		}
		partition[string(r.Key)] = r.Partition.Partition
		from := fmt.Sprint(r.Origin.TopicID, string(r.Key))
		if before, ok := last[from]; ok && r.Origin.Offset <= before {
			t.Fatalf("key %s: offset %d is judged behind offset %d", r.Key, r.Origin.Offset, before)
		}
		last[from] = r.Origin.Offset
	}
	if len(partition) != 20 {
		t.Fatalf("%d keys came out, want 20", len(partition))
	}
}

// TestExpiry checks that an id is forgotten once its window of arrival is over, from the
// state too, and that the clock bounds what a record claims.
func TestExpiry(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	began := time.Now().Add(-60 * 24 * time.Hour) // the log's own times lie behind the clock, which bounds them
	var now atomic.Int64
	stage := newStage(t, func() time.Time { return began.Add(time.Duration(now.Load())) })
	window := DefaultConfig().IDWindow
	post := func(age time.Duration, value string) verdict {
		t.Helper()
		now.Store(int64(age))
		r := bustest.Input(bus.RawText, "a", []byte(value))
		c.Produce(r)
		c.MustDrain(b, stage)
		return verdicts(t, c, b)[at(r)]
	}
	const one, other = `{"event_id":"a","text":"one text"}`, `{"event_id":"a","text":"other text"}`
	for i, x := range []struct {
		age   time.Duration
		value string
		kind  schemas.Kind
	}{
		{0, one, schemas.KindCleanText},
		{window, one, schemas.KindDuplicate},
		{window + time.Microsecond, other, schemas.KindCleanText}, // the window counts from the first post
		{window + time.Hour, one, schemas.KindDeadLetter},
		{2*window + time.Hour, one, schemas.KindCleanText},
		{3*window + 48*time.Hour, other, schemas.KindCleanText},
		{2 * window, other, schemas.KindDuplicate}, // the log's time does not go back
	} {
		v := post(x.age, x.value)
		if v.Kind != x.kind {
			t.Errorf("post %d after %s: %s %s, want %s", i, x.age, v.Kind, v.class, x.kind)
		}
	}
	topic, err := b.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	_ = post(6*window, `{"the sweep's occasion`)
	for _, key := range stateKeys(t, c, b, topic, bus.PartitionOf([]byte("a"), 2)) {
		if strings.HasSuffix(key, "a") {
			t.Errorf("the state still holds %q", key)
		}
	}
}

var errCrash = errors.New("crash")

// TestRestart checks that members that fail, with their state or without it, give the
// verdicts that one gives that does not.
func TestRestart(t *testing.T) {
	var posts []*kgo.Record
	for i := range 600 {
		id := fmt.Sprintf("id-%d", i*i%150)
		value := fmt.Sprintf(`{"event_id":%q,"text":"text number %d"}`, id, i%75)
		if i%17 == 0 {
			value = `{"event_id":7}`
		}
		posts = append(posts, bustest.Input(bus.RawText, id, []byte(value)))
	}
	judge := func(crash bool) map[place]string {
		c := bustest.New(t)
		fresh := make([]*kgo.Record, len(posts))
		for i, p := range posts {
			fresh[i] = bustest.Input(p.Topic, string(p.Key), p.Value)
		}
		disk := vfs.NewMem()
		b := c.Member(disk)
		c.Produce(fresh...)
		stage := newStage(t, time.Now)
		stage.Limits.MaxRecords = 10
		var n atomic.Int64
		for tries := 0; ; tries++ {
			err := c.Drain(b, bustest.Failing(stage, func() error {
				if n.Add(1)%7 == 3 && crash {
					return errCrash
				}
				return nil
			}))
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) || tries > 100 {
				t.Fatal(err)
			}
			if tries == 2 || tries == 5 {
				b = c.Member(vfs.NewMem()) // a member that has nothing of its own
			}
		}
		out := map[place]string{}
		for p, v := range verdicts(t, c, b) {
			v.m.Env().ArrivedAt, v.m.Env().EventTime = 0, 0
			if v.class == "invalid_field" {
				v.m.Env().EventID = "" // a function of the origin, in which the topic's id is
			}
			out[p] = v.class + string(v.m.AppendJSON(nil))
		}
		return out
	}
	want, got := judge(false), judge(true)
	if !reflect.DeepEqual(got, want) {
		for p, w := range want {
			if got[p] != w {
				t.Fatalf("%s: got  %s\nwant %s", p, got[p], w)
			}
		}
		t.Fatalf("there are %d verdicts, want %d", len(got), len(want))
	}
}

// TestDerivedID checks that an event without an id has one that is a function of where
// it lies, and that a stranger's content hash does not count.
func TestDerivedID(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	m := schemas.Text{Text: "a text with a claim"}
	m.ContentHash, m.RulesVersion, m.ArrivedAt = "1:false", "none", 1
	r := bustest.Input(bus.RawText, "", m.MarshalAppend(nil))
	c.Produce(r)
	c.MustDrain(b, newStage(t, time.Now))
	env := verdicts(t, c, b)[at(r)].m.Env()
	topic, err := b.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	if want := bus.DerivedID(bus.Origin{TopicID: topic.ID, Partition: r.Partition, Offset: r.Offset}, ""); env.EventID != want {
		t.Errorf("the id is %s, want %s", env.EventID, want)
	}
	if env.ContentHash == "1:false" || env.RulesVersion == "none" || env.ArrivedAt == 1 || env.Tenant != "house" {
		t.Errorf("a stranger's claims count: %+v", env)
	}
}

func TestConfig(t *testing.T) {
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Stage(Config{IDWindow: time.Minute}, Deps{Rules: r, Tenant: "a", Metrics: prometheus.NewRegistry()}); err == nil || !strings.Contains(err.Error(), "id_window") {
		t.Errorf("a window of a minute: %v", err)
	}
	if _, err := Stage(DefaultConfig(), Deps{Rules: r, Metrics: prometheus.NewRegistry()}); err == nil {
		t.Error("no tenant: no error")
	}
	metrics := prometheus.NewRegistry()
	for range 2 {
		_, err = Stage(DefaultConfig(), Deps{Rules: r, Tenant: "a", Metrics: metrics})
	}
	if err == nil || !strings.Contains(err.Error(), "clean") {
		t.Errorf("the same metrics twice: %v", err)
	}
}
