//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestVerifyFinds takes rows and files away from a deployment, and puts one there twice:
// verify names each, down to its offset, and exits with 1; on one that runs, and, with
// the flags of up, on one that does not.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	a := &author{rng: rand.New(rand.NewPCG(5, 5))}
	m := up(t, t.TempDir())
	l := newLedger(m)
	var texts []*entry
	for range 12 {
		texts = append(texts, a.labelled("billing"))
	}
	l.send(a, texts...)
	l.send(a, a.conversation()...)
	bad := posted("/v1/text", "rejected", "empty", a.id("bad"), map[string]any{"text": " "})
	l.send(a, bad)
	m.verify()
	at := func(table, id string) (partition, offset string) {
		t.Helper()
		m.await("1", "SELECT count() FROM "+table+" WHERE event_id = '"+id+"'")
		partition, offset, _ = strings.Cut(m.sql("SELECT _partition, _offset FROM %s WHERE event_id = '%s'", table, id), "\t")
		return partition, offset
	}

	// A row of ClickHouse is gone, another is there under a second identity.
	partition, offset := at("clean_text", texts[3].id)
	other, doubled := at("clean_text", texts[5].id)
	m.admin("ALTER TABLE clean_text DELETE WHERE event_id = '" + texts[3].id + "' SETTINGS mutations_sync = 2")
	m.admin("INSERT INTO clean_text SELECT * REPLACE (_origin_index + 1 AS _origin_index) FROM clean_text FINAL WHERE event_id = '" + texts[5].id + "'")
	want := []string{
		fmt.Sprintf("clean.text/%s: clickhouse: clean_text lacks offsets %s\n", partition, offset),
		fmt.Sprintf("clean.text/%s: clickhouse: clean_text has offsets %s too much\n", other, doubled),
		"1 lost, 1 doubled\n",
	}
	finds(t, m, want, "verify", "--wait", "3s")
	// A file of the lake is gone.
	lost, rejected := at("rejected", bad.id)
	files, err := filepath.Glob(filepath.Join(m.data, "objects", "lake", "*", "kind=rejected", "*", fmt.Sprintf("clean.text-*-%05s-*.parquet", lost)))
	if err != nil || len(files) != 1 {
		t.Fatalf("the file of %s: %q %v", bad.id, files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	want = append(want[:2], filepath.Base(files[0]), fmt.Sprintf("clean.text/%s: parquet: rejected lacks offsets %s\n", lost, rejected), "2 lost, 1 doubled\n")
	finds(t, m, want, "verify", "--wait", "3s")
	out, errs, code := m.run("verify", "--wait", "3s", "--json")
	var account struct{ Lost, Doubled int }
	if err := json.Unmarshal([]byte(out), &account); err != nil || code != 1 || account.Lost != 2 || account.Doubled != 1 {
		t.Errorf("verify --json exits with %d: %v\n%s%s", code, err, out, errs)
	}
	m.stop()
	finds(t, m, want, "verify", "--wait", "3s", "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--clickhouse-listen", "127.0.0.1:0")
}

// TestVerifyMadeAnew makes the topic of the verdicts on texts anew, and then the one that
// drift reads. What they held stands in the stores under their old ids: it is not
// lost, what came since is not doubled, and repair has nothing to do.
func TestVerifyMadeAnew(t *testing.T) {
	t.Parallel()
	a := &author{rng: rand.New(rand.NewPCG(6, 6))}
	data := t.TempDir()
	m := up(t, data)
	send := func(m *millrace, n int) {
		t.Helper()
		l := newLedger(m)
		for range n {
			l.send(a, a.labelled("billing"))
		}
		for range n {
			l.send(a, a.conversation()...)
		}
	}
	send(m, 40)
	m.verify()
	texts := m.sql("SELECT count() FROM clean_text")
	for _, topic := range []string{"clean.text", "interactions", "training.examples"} {
		cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka))
		if err != nil {
			t.Fatal(err)
		}
		gone, err := kadm.NewClient(cl).DeleteTopics(t.Context(), topic)
		cl.Close()
		if err != nil || gone.Error() != nil {
			t.Fatalf("delete %s: %v, %v", topic, err, gone.Error())
		}
		_ = m.signal(syscall.SIGINT) // a stage whose topic is gone may have ended it before
		m = up(t, data)
		send(m, 5)
		out := m.verify()
		if topic == "clean.text" && !strings.Contains(out, "of the verdicts lie in the stores alone") {
			t.Errorf("verify says nothing of the old %s:\n%s", topic, out)
		}
		if out, errs, code := m.run("verify", "--repair", "--wait", "3s"); code != 0 || strings.Contains(errs, "once more") {
			t.Errorf("verify --repair exits with %d:\n%s%s", code, out, errs)
		}
		if got := m.sql("SELECT count() FROM (SELECT 1 FROM clean_text GROUP BY event_id HAVING count() > 1)"); got != "0" {
			t.Errorf("%s texts are there twice", got)
		}
		eventually(t, "nothing is unaccounted for", func() bool {
			_, metrics := m.get("/metrics")
			sum := 0.0
			for _, line := range strings.Split(metrics, "\n") {
				var n float64
				if strings.HasPrefix(line, "millrace_unaccounted_events{") {
					if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &n); err != nil {
						t.Fatal(err)
					}
					sum += n
				}
			}
			return sum == 0
		})
	}
	if got := m.sql("SELECT uniqExact(_topic_id) FROM clean_text"); got != "2" {
		t.Errorf("clean_text has rows of %s topics, of which %s rows were of the first", got, texts)
	}
	m.stop()
}

// TestVerifyDeep overwrites four bytes amid a file of the lake: verify --deep names it and
// counts its rows as lost, and --repair writes it again from the log. A row behind the
// log's end it tells of, and leaves.
func TestVerifyDeep(t *testing.T) {
	t.Parallel()
	a := &author{rng: rand.New(rand.NewPCG(7, 7))}
	m := up(t, t.TempDir())
	l := newLedger(m)
	for range 40 {
		l.send(a, a.labelled("billing"))
	}
	m.verify()
	files, err := filepath.Glob(filepath.Join(m.data, "objects", "lake", "*", "kind=clean_text", "*", "clean.text-*-00000-*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the files of clean_text: %q %v", files, err)
	}
	sound, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(sound)
	copy(bad[len(bad)/5:], "oops") // a fifth into it are pages, whatever it holds
	if err := os.WriteFile(files[0], bad, 0o600); err != nil {
		t.Fatal(err)
	}
	finds(t, m, []string{filepath.Base(files[0]), "clean.text/0: parquet: clean_text lacks offsets 0", ", 0 doubled\n"}, "verify", "--deep", "--wait", "3s")
	if out, errs, code := m.run("verify", "--deep", "--repair", "--wait", "3s"); code != 0 || !strings.Contains(errs, "parquet: ") {
		t.Errorf("verify --deep --repair exits with %d:\n%s%s", code, out, errs)
	}
	if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, sound) {
		t.Errorf("the file that was written again is another than the first: %v", err)
	}
	m.admin("INSERT INTO clean_text SELECT * REPLACE (_offset + 1000000 AS _offset, _origin_index + 1 AS _origin_index) FROM (SELECT * FROM clean_text WHERE _partition = 0 AND _offset = 0)")
	finds(t, m, []string{"clean.text/0: clickhouse: clean_text has offsets 1000000 too much: the log ends at ", "0 lost, 1 doubled\n"}, "verify", "--wait", "3s")
	m.stop()
}

// finds runs verify, which must exit with 1 and say all of it.
func finds(t *testing.T, m *millrace, want []string, args ...string) {
	t.Helper()
	out, errs, code := m.run(args...)
	if code != 1 {
		t.Errorf("millrace %s exits with %d, want 1:\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	for _, part := range want {
		if !strings.Contains(out, part) {
			t.Errorf("millrace %s does not say %q:\n%s%s", strings.Join(args, " "), part, out, errs)
		}
	}
}
