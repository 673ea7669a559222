//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadletters runs a subcommand, which must end with code, and returns what it printed.
func (m *millrace) deadletters(code int, args ...string) string {
	m.t.Helper()
	out, errs, got := m.run(append([]string{"deadletters"}, args...)...)
	if got != code {
		m.t.Fatalf("millrace deadletters %s exits with %d, want %d:\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	if code == 0 {
		return out
	}
	return out + errs
}

// letter is one of deadletters list --json.
type letter struct {
	Origin, Reason, Status string
	Attempt                int
	ValueBytes             int `json:"value_bytes"`
	Cut                    bool
	Key                    []byte
}

func (m *millrace) letters(args ...string) map[string]letter {
	m.t.Helper()
	all := map[string]letter{}
	for line := range strings.Lines(m.deadletters(0, append([]string{"list", "--json"}, args...)...)) {
		var l letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			m.t.Fatalf("%v: %s", err, line)
		}
		all[l.Origin] = l
	}
	return all
}

// TestDeadLetters lets records die, mends what they died of, and replays them by the
// command: twice, once with the mark of the first lost as a crash loses it. Each counts
// once, and the rows say what replays what.
func TestDeadLetters(t *testing.T) {
	data := t.TempDir()
	// A text whose clean form has three bytes for one is dead where little is taken.
	for _, name := range []string{"MILLRACE_TOPICS_MAX_INPUT_BYTES", "MILLRACE_COLLECTOR_MAX_EVENT_BYTES"} {
		t.Setenv(name, "65536")
	}
	m := up(t, data)
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	post := func(topic, key string, value []byte, headers ...kgo.RecordHeader) string {
		t.Helper()
		r := &kgo.Record{Topic: topic, Key: []byte(key), Value: value, Headers: headers}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s/%d:%d", r.Topic, r.Partition, r.Offset)
	}
	text := `{"event_id":"big","content_type":"text/plain; charset=windows-1252","data":"` + base64.StdEncoding.EncodeToString(narrow(450)) + `"}`
	malformed := post("raw.text", "m", []byte(`{"event_id":"m","txt":"a text"}`), kgo.RecordHeader{Key: "content-type", Value: []byte("application/json")})
	binary := post("user.feedback", "b", []byte("\x1f\x8b\x08\x00\x00"))
	dropped := post("raw.text", "d", []byte(`{"event_id":"d","text":7}`))
	big := post("raw.text", "big", []byte(text))
	cut := post("user.feedback", "cut", bytes.Repeat([]byte("{"), 200_000)) // packed it fits; its letter does not hold it
	clean := post("raw.text", "c", []byte(`{"event_id":"c","text":"a text that is clean"}`))
	m.await("5", "SELECT count() FROM dead_letters")
	m.await("1", "SELECT count() FROM clean_text")
	if all := m.letters(); len(all) != 5 || !all[cut].Cut || all[cut].ValueBytes != 200_000 || all[big].Reason != "too_large" || all[malformed].Reason != "unknown_field" || all[malformed].Status != "open" || string(all[malformed].Key) != "m" {
		t.Fatalf("the letters are %+v", all)
	}
	if all := m.letters("--topic", "raw.text", "--reason", "invalid_field", "--since", "1h"); len(all) != 1 || all[dropped].Attempt != 1 {
		t.Errorf("the letters of raw.text for invalid_field are %+v", all)
	}
	shown := m.deadletters(0, "show", malformed)
	for _, part := range []string{"origin        " + malformed, "reason        unknown_field", "attempt       1", "content type  application/json", "status        open", `{"event_id":"m","txt":"a text"}`} {
		if !strings.Contains(shown, part) {
			t.Errorf("show does not say %q:\n%s", part, shown)
		}
	}
	if raw := m.deadletters(0, "show", binary, "--raw"); raw != "\x1f\x8b\x08\x00\x00" {
		t.Errorf("show --raw prints %q", raw)
	}
	if dump := m.deadletters(0, "show", binary); !strings.Contains(dump, "1f 8b 08 00 00") {
		t.Errorf("show prints no dump of bytes that are no text:\n%s", dump)
	}
	m.deadletters(0, "drop", dropped)
	if out := m.deadletters(1, "show", clean); !strings.Contains(out, "there is no dead letter of "+clean) {
		t.Errorf("show of what is clean: %s", out)
	}
	m.deadletters(2, "replay")
	m.deadletters(2, "show", "raw.text")

	// A letter whose record is not dead, as a crash can leave one, is not replayed.
	var originOfClean []kgo.RecordHeader
	for _, h := range headersAt(t, m, "clean.text", "c") {
		if h.Key == "mr-origin" {
			originOfClean = append(originOfClean, h)
		}
	}
	post("dead.letters", "c", []byte(`{"event_id":"c","text":"a text that is clean"}`), append(originOfClean, kgo.RecordHeader{Key: "mr-input", Value: []byte(clean)})...)
	if out := m.deadletters(1, "replay", clean); !strings.Contains(out, "1 were left out") {
		t.Errorf("replay of what is clean: %s", out)
	}

	// The limit is raised, and what was too large is replayed: by name, and by all once
	// more behind a crash that lost the mark.
	cl.Close()
	m.stop()
	for _, name := range []string{"MILLRACE_TOPICS_MAX_INPUT_BYTES", "MILLRACE_COLLECTOR_MAX_EVENT_BYTES"} {
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	m = up(t, data)
	if out := m.deadletters(0, "replay", big); !strings.Contains(out, big+" is replayed as raw.text/") || !strings.Contains(out, "1 replayed") {
		t.Errorf("replay: %s", out)
	}
	m.await("1", "SELECT count() FROM clean_text WHERE event_id = 'big'")
	if out := m.deadletters(0, "replay", big); !strings.Contains(out, "was replayed already, as raw.text/") || !strings.Contains(out, "0 replayed") {
		t.Errorf("the second replay: %s", out)
	}
	marks, err := filepath.Glob(filepath.Join(data, "objects", "deadletters", "replayed", "*", "*", "*"))
	if err != nil || len(marks) != 1 {
		t.Fatalf("the marks are %q, %v", marks, err)
	}
	if err := os.Remove(marks[0]); err != nil {
		t.Fatal(err)
	}
	if out := m.deadletters(0, "replay", cut); !strings.Contains(out, "1 replayed") {
		t.Errorf("replay of what its letter does not hold: %s", out)
	}
	if out := m.deadletters(1, "replay", "--all", "--topic", "raw.text"); !strings.Contains(out, "2 replayed") || !strings.Contains(out, "1 were left out") {
		t.Errorf("replay --all: %s", out)
	}
	m.await("1", "SELECT count() FROM duplicates WHERE reason = 'replayed'")
	m.await("2", "SELECT count() FROM dead_letters WHERE reason = 'invalid_json'")
	m.await("2", "SELECT count() FROM dead_letters WHERE _origin_topic_id = (SELECT any(_origin_topic_id) FROM clean_text WHERE event_id = 'c') AND event_id = 'm'")
	chain := "SELECT d.reason, count() FROM dead_letters d JOIN %s r ON r.replay_of = concat(d._origin_topic_id, ':', toString(d._origin_partition), ':', toString(d._origin_offset)) GROUP BY d.reason ORDER BY 1"
	for table, want := range map[string]string{"clean_text": "too_large\t1", "duplicates": "too_large\t1", "dead_letters": "invalid_json\t1\nunknown_field\t1"} {
		if got := m.sql(chain, table); got != want {
			t.Errorf("replays in %s: %q, want %q", table, got, want)
		}
	}
	if got := m.sql("SELECT count() FROM clean_text WHERE event_id = 'big'"); got != "1" {
		t.Errorf("what was replayed twice counts %s times", got)
	}
	var status []string
	for origin, l := range m.letters() {
		if l.Attempt > 1 {
			origin = "its replay"
			if l.Cut || l.Reason == "invalid_json" && l.ValueBytes != 200_000 {
				t.Errorf("the replay is not whole: %+v", l)
			}
		}
		status = append(status, fmt.Sprint(map[string]string{malformed: "malformed", binary: "binary", cut: "cut", dropped: "dropped", big: "big", clean: "clean", "its replay": "its replay"}[origin], " ", l.Status, " ", l.Attempt))
	}
	slices.Sort(status)
	if want := []string{"big replayed 1", "binary open 1", "clean open 1", "cut replayed 1", "dropped dropped 1", "its replay open 2", "its replay open 2", "malformed replayed 1"}; !slices.Equal(status, want) {
		t.Errorf("the letters are %q, want %q", status, want)
	}
	m.verify()
	m.stop()
}

// narrow is lines of letters and signs of windows-1252, which have more bytes in UTF-8.
func narrow(lines int) []byte {
	var b []byte
	for i := range lines {
		b = fmt.Appendf(b, "%08d%s\n", i*7919, bytes.Repeat([]byte{0x80, 0x80, 0x9a}, 30))
	}
	return b
}

// headersAt reads the headers of the first record of a topic under a key.
func headersAt(t *testing.T, m *millrace, topic, key string) []kgo.RecordHeader {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for r := range fetches.RecordsAll() {
			if string(r.Key) == key {
				return r.Headers
			}
		}
	}
}

// TestStopOnDeadShare lets a producer write so much that is dead that the stage stops, and
// a person look.
func TestStopOnDeadShare(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "stop.yaml")
	if err := os.WriteFile(config, []byte("clean:\n  stop_on_dead_share: 0.05\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := up(t, t.TempDir(), "--config", config)
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	post := func(n int, value string) {
		t.Helper()
		for range n {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "raw.text", Key: []byte("k"), Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	post(60, `{"text":7}`)
	post(1, `{"text":"one that is good"}`)
	for until := time.Now().Add(patience); ; time.Sleep(lookEach) {
		_, answer := m.get("/readyz")
		if strings.Contains(answer, "of the last 1000 records of raw.text/") && strings.Contains(answer, "clean.stop_on_dead_share is 5.0 %") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the stage does not stop: %s", answer)
		}
	}
	if _, metrics := m.get("/metrics"); !strings.Contains(metrics, `millrace_clean_dead_alert{partition="`) {
		t.Error("/metrics does not have millrace_clean_dead_alert")
	}
	if n := len(m.letters()); n == 0 {
		t.Error("there is no letter to look at")
	}
	m.deadletters(0, "resume", "--topic", "raw.text")
	m.await("60", "SELECT count() FROM dead_letters")
	m.await("1", "SELECT count() FROM clean_text")
	post(1, `{"text":"another that is good"}`)
	m.await("2", "SELECT count() FROM clean_text")
	m.verify()
	m.stop()
}
