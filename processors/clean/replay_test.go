package clean

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/schemas"
)

// letters reads all dead letters, by the input record that they are of.
func letters(t testing.TB, b *bus.Bus) map[place]*bus.Letter {
	t.Helper()
	all := map[place]*bus.Letter{}
	for l, err := range b.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		at := place{l.Input.Topic, l.Input.Partition.Partition, l.Input.Offset}
		if all[at] != nil {
			t.Errorf("%s has two letters", at)
		}
		all[at] = l
	}
	return all
}

// replay writes what a letter holds to its input again, and returns where that lies.
func replay(t testing.TB, b *bus.Bus, l *bus.Letter) place {
	t.Helper()
	if l == nil {
		t.Fatal("there is no letter to replay")
	}
	landed, err := b.Replay(t.Context(), bus.Replay{Topic: l.Input.Topic, Origin: l.Origin, Attempt: l.Attempt + 1, Key: l.Key, Value: l.Value, ContentType: l.ContentType})
	if err != nil {
		t.Fatal(err)
	}
	return place{landed[0].Topic, landed[0].Partition.Partition, landed[0].Offset}
}

// decodesNothing is an event of a version that can read no record.
type decodesNothing struct{ *schemas.Text }

func (decodesNothing) DecodeJSON([]byte) error {
	return &schemas.FieldError{Class: schemas.ClassUnknownField, Problem: "of a later version", Offset: -1}
}

func (d decodesNothing) Unmarshal(b []byte) error { return d.DecodeJSON(b) }

// older makes the stage one of a version that can read no text.
func older(stage bus.Stage) bus.Stage {
	stage.Open = opening(stage.Open, func(t *task) {
		if t.at.Topic == bus.RawText {
			t.event = decodesNothing{new(schemas.Text)}
		}
	})
	return stage
}

// want checks a verdict and what it replays.
func (v verdict) want(t testing.TB, what string, kind schemas.Kind, class string, of *place) {
	t.Helper()
	if v.m == nil {
		t.Errorf("%s: there is no verdict", what)
		return
	}
	replayOf := ""
	if of != nil {
		replayOf = fmt.Sprintf("%s:%d:%d", v.Origin.TopicID, of.partition, of.offset)
	}
	if v.Kind != kind || v.class != class || v.m.Env().ReplayOf != replayOf {
		t.Errorf("%s: got %s %q as a replay of %q, want %s %q of %q", what, v.Kind, v.class, v.m.Env().ReplayOf, kind, class, replayOf)
	}
}

// TestReplay replays what is dead once its cause is mended: the first replay is judged as
// if the dead verdict had not been, a second counts as its duplicate, and an id that is
// posted again is one of the replay.
func TestReplay(t *testing.T) {
	for _, x := range []struct {
		name, key, value string
		kind             schemas.Kind
		again            schemas.Kind // of the same post sent anew
	}{
		{"under its id", "a", `{"event_id":"a","text":"a text"}`, schemas.KindCleanText, schemas.KindDuplicate},
		{"without an id", "some key", `{"text":"a text"}`, schemas.KindCleanText, schemas.KindCleanText},
		{"without a key", "", `{"text":"a text"}`, schemas.KindCleanText, schemas.KindCleanText},
		{"by a rule", "r", `{"event_id":"r","text":""}`, schemas.KindRejected, schemas.KindDuplicate},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := bustest.New(t)
			b := c.Member(vfs.NewMem())
			post := func() *kgo.Record {
				r := bustest.Input(bus.RawText, x.key, []byte(x.value), header(bus.ContentJSON))
				c.Produce(r)
				return r
			}
			first := post()
			c.MustDrain(b, older(newStage(t, time.Now)))
			l := letters(t, b)[at(first)]
			if l == nil || l.Cut() || l.Attempt != 1 || l.Reason != "unknown_field" || l.ContentType != bus.ContentJSON || string(l.Key) != x.key || string(l.Value) != x.value || l.Timestamp.IsZero() {
				t.Fatalf("the letter is %+v", l)
			}
			one := replay(t, b, l)
			if one.partition != first.Partition {
				t.Errorf("the replay lies at %s, the post at %s: they do not meet", one, at(first))
			}
			stage := newStage(t, time.Now)
			c.MustDrain(b, stage)
			two := replay(t, b, l)
			c.MustDrain(b, stage)
			three := replay(t, b, l)
			anew := post()
			c.MustDrain(b, stage)
			all := verdicts(t, c, b)
			dead := at(first)
			all[dead].want(t, "the post", schemas.KindDeadLetter, "unknown_field", nil)
			class := ""
			if x.kind == schemas.KindRejected {
				class = "empty"
			}
			all[one].want(t, "the first replay", x.kind, class, &dead)
			if got, want := all[one].m.Env().EventID, all[dead].m.Env().EventID; x.again == schemas.KindCleanText && got != want {
				t.Errorf("the replay's id is %s, that of the post %s", got, want)
			}
			for _, p := range []place{two, three} {
				all[p].want(t, "another replay", schemas.KindDuplicate, "replayed", &dead)
				if d, ok := all[p].m.(*schemas.Duplicate); ok && (d.FirstOffset != one.offset || d.FirstPartition != one.partition) {
					t.Errorf("another replay names %d/%d, want %s", d.FirstPartition, d.FirstOffset, one)
				}
			}
			class = ""
			if x.again == schemas.KindDuplicate {
				class = "repeated"
			}
			all[at(anew)].want(t, "the post sent anew", x.again, class, nil)
		})
	}
}

// TestReplayRekeyed replays what lies under a key that is not its id: each replay meets
// the one before it where it lands, so one copy is judged, whether that comes to lie on
// another partition or on the same.
func TestReplayRekeyed(t *testing.T) {
	for partition := range 2 {
		c := bustest.New(t)
		b := c.Member(vfs.NewMem())
		value := []byte(`{"event_id":"a","text":"a text"}`)
		first := bustest.OnPartition(bustest.Input(bus.RawText, "wrong", value), partition)
		c.Produce(first)
		c.MustDrain(b, older(newStage(t, time.Now)))
		l := letters(t, b)[at(first)]
		one := replay(t, b, l)
		two := replay(t, b, l)
		stage := newStage(t, time.Now)
		c.MustDrain(b, stage)
		three := replay(t, b, l)
		c.MustDrain(b, stage) // the copy, too
		all := verdicts(t, c, b)
		dead := at(first)
		all[one].want(t, "the first replay", schemas.KindDuplicate, "rekeyed", &dead)
		all[two].want(t, "the second replay", schemas.KindDuplicate, "replayed", &dead)
		all[three].want(t, "the third replay", schemas.KindDuplicate, "replayed", &dead)
		copies := 0
		for _, r := range c.Read(b, bus.RawText) {
			if r.Derived {
				copies++
				all[place{bus.RawText, r.Partition.Partition, r.Offset}].want(t, "the copy", schemas.KindCleanText, "", &dead)
			}
		}
		if copies != 1 {
			t.Errorf("partition %d: %d copies were written, want 1", partition, copies)
		}
	}
}

// TestReplayTooLarge replays a post whose id was remembered when it died: by a second
// failure in vain, then with the limit raised.
func TestReplayTooLarge(t *testing.T) {
	small := bus.DefaultTopicsConfig()
	small.MaxInputBytes = 100 << 10
	c := bustest.NewWith(t, small)
	disk := vfs.NewMem()
	b := c.Member(disk)
	m := schemas.Text{ContentType: "text/plain; charset=windows-1252"}
	m.EventID = "a"
	for i := range 1000 { // the letters take three bytes each in UTF-8
		m.Data = fmt.Appendf(m.Data, "%08d%s\n", i*7919, strings.Repeat("\x80\x80\x9a", 30))
	}
	m.Data = m.Data[:90<<10]
	r := bustest.Input(bus.RawText, "a", m.MarshalAppend(nil))
	c.Produce(r)
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	again := bustest.Input(bus.RawText, "a", r.Value)
	c.Produce(again)
	second := replay(t, b, letters(t, b)[at(r)])
	c.MustDrain(b, stage)
	b = c.WithTopics(bus.DefaultTopicsConfig()).Member(vfs.NewMem())
	l := letters(t, b)[second]
	if l == nil || l.Attempt != 2 {
		t.Fatalf("the letter of the replay that is dead again is %+v, want attempt 2", l)
	}
	third := replay(t, b, l)
	c.MustDrain(b, newStage(t, time.Now))
	stale := replay(t, b, letters(t, b)[at(r)])
	c.MustDrain(b, newStage(t, time.Now))
	all := verdicts(t, c, b)
	dead := at(r)
	all[dead].want(t, "the post", schemas.KindDeadLetter, "too_large", nil)
	all[at(again)].want(t, "the post sent again", schemas.KindDuplicate, "repeated", nil)
	all[second].want(t, "the first replay", schemas.KindDeadLetter, "too_large", &dead)
	all[third].want(t, "the replay of that", schemas.KindCleanText, "", &second)
	all[stale].want(t, "another replay of the post", schemas.KindDuplicate, "replayed", &dead)
}

// TestReplayAmidCrashes kills the stage behind a replay's landed verdict and before its
// commit, asks for the replay once more, as one does who does not know, and lets a member
// go on that has no state: of all replays one lives.
func TestReplayAmidCrashes(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	first := bustest.Input(bus.RawText, "a", []byte(`{"event_id":"a","text":"a text"}`))
	c.Produce(first)
	c.MustDrain(b, older(newStage(t, time.Now)))
	l := letters(t, b)[at(first)]
	full := &fullable{FS: vfs.NewMem()}
	b, leave := c.Leaving(full)
	one := replay(t, b, l)
	err := c.Drain(b, bustest.Failing(newStage(t, time.Now), func() error { full.full.Store(true); return nil }))
	if !errors.Is(err, disk.ErrFull) {
		t.Fatalf("the disk is full at the commit: %v", err)
	}
	two := replay(t, b, l)
	leave()
	b = c.Member(vfs.NewMem())
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	three := replay(t, b, l)
	c.MustDrain(b, stage)
	all := verdicts(t, c, b)
	dead := at(first)
	all[one].want(t, "the first replay", schemas.KindCleanText, "", &dead)
	all[two].want(t, "the second replay", schemas.KindDuplicate, "replayed", &dead)
	all[three].want(t, "the third replay", schemas.KindDuplicate, "replayed", &dead)
}

// TestLostVerdict replays an input whose verdict is lost, as its account says: it is judged
// in place of the first, whose id is remembered.
func TestLostVerdict(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	value := []byte(`{"event_id":"a","text":"a text"}`)
	r := bustest.Input(bus.RawText, "a", value)
	c.Produce(r)
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	topic, err := b.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	origin := bus.Origin{TopicID: topic.ID, Partition: r.Partition, Offset: r.Offset}
	var landed []place
	for range 2 {
		at, err := b.Replay(t.Context(), bus.Replay{Topic: bus.RawText, Origin: origin, Attempt: 2, Key: r.Key, Value: value})
		if err != nil {
			t.Fatal(err)
		}
		landed = append(landed, place{bus.RawText, at[0].Partition.Partition, at[0].Offset})
	}
	c.MustDrain(b, stage)
	all := verdicts(t, c, b)
	of := at(r)
	all[landed[0]].want(t, "the replay", schemas.KindCleanText, "", &of)
	all[landed[1]].want(t, "the second replay", schemas.KindDuplicate, "replayed", &of)
}

// TestForgedReplay writes headers that do not count: the records are ordinary posts.
func TestForgedReplay(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	value := []byte(`{"event_id":"a","text":"a text"}`)
	r := bustest.Input(bus.RawText, "a", value)
	c.Produce(r)
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	topic, err := b.Topic(bus.RawText)
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 32) // of bustest's members
	origin := bus.Origin{TopicID: topic.ID, Partition: r.Partition, Offset: r.Offset}
	forge := func(topic, key string, value []byte, h kgo.RecordHeader) *kgo.Record {
		return bustest.Input(topic, key, value, h)
	}
	good := bus.ReplayHeader(secret, bus.RawText, origin, r.Key, value)
	moved := bustest.OnPartition(forge(bus.RawText, "a", value, good), 1-int(r.Partition))
	asOrigin := forge(bus.RawText, "a", value, kgo.RecordHeader{Key: bus.HeaderOrigin, Value: good.Value[:len(good.Value)-16]})
	asOrigin.Headers = append(asOrigin.Headers, kgo.RecordHeader{Key: bus.HeaderMAC, Value: good.Value[len(good.Value)-16:]})
	forged := []*kgo.Record{
		forge(bus.RawText, "a", value, bus.ReplayHeader([]byte("another secret"), bus.RawText, origin, r.Key, value)),
		forge(bus.RawText, "a", value, kgo.RecordHeader{Key: bus.HeaderReplay}),
		forge(bus.RawText, "a", value, kgo.RecordHeader{Key: bus.HeaderReplay, Value: good.Value[:len(good.Value)-1]}),
		forge(bus.RawText, "a", []byte(`{"event_id":"a","text":"another text"}`), good),
		forge(bus.RawText, "wrong", value, good),
		forge(bus.InferenceLogs, "a", []byte(`{"event_id":"a","request_model":"m"}`), good),
		moved, asOrigin,
	}
	c.Produce(forged...)
	c.MustDrain(b, stage)
	c.MustDrain(b, stage)
	all := verdicts(t, c, b)
	for i, want := range []string{"repeated", "repeated", "repeated", "id_conflict", "rekeyed", "", "rekeyed", "repeated"} {
		if v := all[at(forged[i])]; v.class != want || v.m.Env().ReplayOf != "" {
			t.Errorf("forged record %d: %s %q as a replay of %q, want %q of nothing", i, v.Kind, v.class, v.m.Env().ReplayOf, want)
		}
	}
}
