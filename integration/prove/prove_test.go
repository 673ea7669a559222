package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestAccount gives an account rows that are right, and then each way of being wrong: a
// count that cannot fail proves nothing.
func TestAccount(t *testing.T) {
	const topic = "00"
	good := func() []storedRow {
		var all []storedRow
		for i, kind := range []byte("tif") {
			table := []string{"clean_text", "inferences", "feedback"}[i]
			all = append(all, storedRow{table: table, id: eventID(kind, 0, 0), content: content(kind, 0, 0), step: "clean", topicID: topic, at: int64(i)})
		}
		return append(all, storedRow{table: "training_examples", id: eventID('x', 0, 0), content: content('x', 0, 0), step: "join", topicID: "11"},
			storedRow{table: "duplicates", id: eventID('t', 0, 0), content: "repeated", step: "clean", topicID: topic, at: 3})
	}
	for _, c := range []struct {
		name                string
		spoil               func([]storedRow) []storedRow
		lost, doubled, torn int
		rejects             bool
	}{
		{"as it must be", func(r []storedRow) []storedRow { return r }, 0, 0, 0, false},
		{"a text is missing, and its verdict", func(r []storedRow) []storedRow { return r[1:] }, 2, 0, 0, false},
		{"an example is missing", func(r []storedRow) []storedRow { return append(r[:3], r[4:]...) }, 1, 0, 0, false},
		{"an example is there twice", func(r []storedRow) []storedRow { return append(r, r[3]) }, 0, 1, 0, false},
		{"a record has two verdicts", func(r []storedRow) []storedRow { r[4].at = 0; return r }, 1, 1, 0, false},
		{"a record beyond the end", func(r []storedRow) []storedRow { r[4].at = 4; return r }, 1, 0, 1, false},
		{"a verdict on another topic", func(r []storedRow) []storedRow { r[4].topicID = "ff"; return r }, 1, 0, 1, false},
		{"another content", func(r []storedRow) []storedRow { r[0].content = "x"; return r }, 0, 0, 1, false},
		{"another verdict", func(r []storedRow) []storedRow { r[0].table = "rejected"; return r }, 1, 0, 1, false},
		{"another verdict, by the rules", func(r []storedRow) []storedRow { r[0].table = "rejected"; return r }, 0, 0, 0, true},
		{"dead", func(r []storedRow) []storedRow { r[0].table = "dead_letters"; return r }, 1, 0, 1, true},
		{"an event of nobody", func(r []storedRow) []storedRow { r[0].id = eventID('t', 0, 1); return r }, 1, 0, 1, false},
		{"a worker that there is not", func(r []storedRow) []storedRow { r[0].id = eventID('t', 7, 0); return r }, 1, 0, 1, false},
	} {
		a := newAccount("a store", &ledger{next: []int{1}}, map[string]int64{topic + "/0": 4}, c.rejects)
		for _, r := range c.spoil(good()) {
			a.add(&r)
		}
		if got := [3]int{a.lost(), a.doubled, a.torn}; got != [3]int{c.lost, c.doubled, c.torn} {
			t.Errorf("%s: lost, doubled, torn are %v, want %v\n%s", c.name, got, [3]int{c.lost, c.doubled, c.torn}, strings.Join(a.differences, "\n"))
		}
	}
}

func TestDisagree(t *testing.T) {
	l, ends := &ledger{next: []int{2}}, map[string]int64{"00/0": 2}
	a, b := newAccount("a", l, ends, true), newAccount("b", l, ends, true)
	for n, tables := range [][2]string{{"rejected", "rejected"}, {"rejected", "clean_text"}} {
		for i, in := range []*account{a, b} {
			in.add(&storedRow{table: tables[i], id: eventID('t', 0, n), content: content('t', 0, n), step: "clean", topicID: "00", at: int64(n)})
		}
	}
	if n := a.disagree(b); n != 1 {
		t.Errorf("%d texts have two verdicts, want 1", n)
	}
}

// TestSet compares the sets with a count by hand, at the edges of their words.
func TestSet(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 200} {
		s := newSet(n)
		for i := range n {
			if count, first := s.missing(); count != n-i || first != i {
				t.Fatalf("%d of %d are in: missing are %d from %d, want %d from %d", i, n, count, first, n-i, i)
			}
			if known, again := s.add(i); !known || again {
				t.Fatalf("%d of %d: known %t, again %t", i, n, known, again)
			}
			if _, again := s.add(i); !again {
				t.Fatalf("%d of %d is not there again", i, n)
			}
		}
		if count, first := s.missing(); count != 0 || first != -1 {
			t.Errorf("of %d all are in: missing are %d from %d", n, count, first)
		}
		if known, _ := s.add(n); known {
			t.Errorf("%d is one of %d", n, n)
		}
	}
}

// TestLedger reads a ledger back as whoever goes on with a run does.
func TestLedger(t *testing.T) {
	dir := t.TempDir()
	for _, want := range [][]int{{0, 0}, {20, 40}} {
		l, err := openLedger(dir, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(l.next, want) {
			t.Errorf("the ledger has %v, want %v", l.next, want)
		}
		for _, n := range [][2]int{{0, 20}, {1, 20}, {1, 40}} {
			if err := l.note(n[0], n[1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openLedger(dir, 1); err == nil {
		t.Error("a ledger of two workers is taken for one of one")
	}
}

// TestResume skips what is done, of the same row, seed and form alone, and keeps its data.
func TestResume(t *testing.T) {
	o := &options{seed: 5, short: true, out: filepath.Join(t.TempDir(), "results"), work: t.TempDir()}
	w := row{name: "kills", short: 3}
	begun := []int{}
	first := true
	for range 2 {
		r, err := newRun(t.Context(), o, w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "kept")); (err == nil) == first {
			t.Errorf("the data is there: %t, want %t", err == nil, !first)
		}
		_ = r.each(3, func(t *trial) error {
			begun = append(begun, t.round)
			t.result.Verify = 0
			if first && t.round == 2 {
				t.result.Lost = 1
			}
			return os.WriteFile(filepath.Join(t.dir, "kept"), nil, 0o600)
		})
		if (r.failures > 0) != first {
			t.Errorf("%d rounds failed", r.failures)
		}
		first = false
	}
	if want := []int{0, 1, 2, 2}; !reflect.DeepEqual(begun, want) {
		t.Errorf("rounds %v were begun, want %v", begun, want)
	}
}

// TestHolds checks that each thing that must not be makes a round fail.
func TestHolds(t *testing.T) {
	for name, r := range map[string]result{
		"lost": {Lost: 1}, "doubled": {Doubled: 1}, "torn": {Torn: 1}, "an error": {Error: "x"}, "verify": {Verify: 1},
		"memory": {MaxRSS: map[string]int{"engine": 11}, CapRSS: map[string]int{"engine": 10}},
	} {
		if r.holds() {
			t.Errorf("a round with %s holds", name)
		}
	}
	if sound := (result{Verify: -1, MaxRSS: map[string]int{"engine": 10}, CapRSS: map[string]int{"engine": 10}}); !sound.holds() {
		t.Error("a sound round does not hold")
	}
}

// TestReport replaces what stands between the markers, and nothing else.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	document, results := filepath.Join(dir, "d.md"), filepath.Join(dir, "r")
	text := "before\n" + reportBegin + "\nstale\n" + reportEnd + "\nafter\n"
	line := `{"row":"kills","round":0,"seed":9,"short":true,"version":"v1","began":"2026-01-01T00:00:00Z","seconds":3,"faults":{"kill a":2},"deployment":"a","acknowledged":1200,"verify":0}` + "\n" +
		`{"row":"kills","round":1,"seed":9,"short":true,"version":"v1","began":"2026-01-01T00:00:00Z","seconds":4,"faults":{"kill b":1},"deployment":"b","acknowledged":300,"lost":1,"verify":1}` + "\n"
	for path, data := range map[string]string{document: text, results: line} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := report(document, []string{results}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := "| kills (1 of 2 rounds did not hold) | 30 kills | kill a: 2, kill b: 1 | 1,500 | 1 | 0 | 0 | 1 | - | 7 s | 9 | v1 |\n"
	if !strings.HasPrefix(string(got), "before\n"+reportBegin) || !strings.HasSuffix(string(got), reportEnd+"\nafter\n") || !strings.Contains(string(got), want) || strings.Contains(string(got), "stale") {
		t.Errorf("the document is\n%s\nwant in it\n%s", got, want)
	}
}
