package importer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/schemas"
)

// outline lists the items of an import: a place for an event, a place with "!" for a bad
// record. It gives up where there is no end to it.
func outline(t *testing.T, f Files) (places []string, bad []*BadItem) {
	t.Helper()
	for i, err := range f.Items() {
		var b *BadItem
		switch {
		case errors.As(err, &b):
			bad = append(bad, b)
			places = append(places, b.Place+"!")
		case err != nil:
			t.Fatal(err)
		default:
			places = append(places, i.Place)
		}
		if len(places) > 100 {
			t.Fatalf("there is no end to it: %q", places)
		}
	}
	return places, bad
}

// TestBadRecords checks that a record that cannot be read is one bad record, named by the
// line where it begins, and that what follows is read.
func TestBadRecords(t *testing.T) {
	long := strings.Repeat("x", maxRecord)
	for _, k := range []struct{ name, content, places, reason string }{
		{"a.csv", "text,label\n\"a\"b,c\nd,e\n", "a.csv:2! a.csv:3", `extraneous or missing "`},
		{"a.csv", "text,label\na\"b,c\nd,e\n", "a.csv:2! a.csv:3", `bare "`},
		{"a.csv", "text,label\na,b,c\nd,e\n", "a.csv:2! a.csv:3", "wrong number of fields"},
		{"a.csv", "text,label\na,b\n\n\"c\nd\",e\n\"f\ng\"h,i\nj,k\n", "a.csv:2 a.csv:4 a.csv:6! a.csv:8", `extraneous or missing "`},
		{"a.csv", "text\na\n\"b\n", "a.csv:2 a.csv:3!", `extraneous or missing "`},
		{"a.csv", "text\ncaf\xe9\nd\n", "a.csv:2! a.csv:3", "invalid_field: text: is not UTF-8"},
		{"a.csv", "text\na\n\"b" + long + "\nc\n", "a.csv:2 a.csv:3! a.csv:4", "perhaps a quote is not closed"},
		{"a.csv", "text\na\n\"b\n" + strings.Repeat("xxxxxxx\n", maxRecord/8) + "c\n", fmt.Sprintf("a.csv:2 a.csv:3! a.csv:%d", maxRecord/8+4), "perhaps a quote is not closed"},
		{"a.csv", "", "a.csv:1!", "no header row"},
		{"a.jsonl", "{\"text\":\"a\"}\n" + long + "x\n{\"text\":\"b\"}\n", "a.jsonl:1 a.jsonl:2! a.jsonl:3", "the line has 8388610 bytes, the limit is 8388608"},
		{"a.jsonl", "{\"text\":\"a\"}\n" + long + "x", "a.jsonl:1 a.jsonl:2!", "the limit is 8388608"},
		{"a.jsonl", "{\"text\":\"caf\xe9\"}\r\n{\"text\":\"b\"}\r\n", "a.jsonl:1! a.jsonl:2", "text: a string is not UTF-8"},
		{"a.mbox", "From a\nS: s\n\n" + long + "\nFrom b\nS: s\n\nb\n", "a.mbox:1! a.mbox:2", "the limit is 8388608"},
		{"a.txt", long + "x", "a.txt!", "more than 8388608 bytes"},
	} {
		dir := t.TempDir()
		write(t, dir, k.name, k.content)
		places, bad := outline(t, Files{Paths: []string{dir}, Kind: schemas.KindText})
		if got := strings.Join(places, " "); got != k.places || len(bad) != 1 || !strings.Contains(bad[0].Error(), k.reason) {
			t.Errorf("%.40q: got %s, %v; want %s, %q", k.content, got, bad, k.places, k.reason)
		}
	}
}

// TestCutFiles checks that an archive that was cut short ends, with one bad record more,
// and that the next file is read.
func TestCutFiles(t *testing.T) {
	for name, record := range map[string]string{
		"a.csv.gz": "\"a text\n%d\"\n", "a.jsonl.gz": "{\"text\":\"a text %d\"}\n", "a.mbox.gz": "From a\nSubject: %d\n\nb\n", "a.txt.gz": "a text %d\n",
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprintln(z, "text")
		for i := range 20 {
			fmt.Fprintf(z, record, i)
		}
		_ = z.Close()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes()[:b.Len()-20], 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "b.txt", "whole")
		places, bad := outline(t, Files{Paths: []string{dir}, Kind: schemas.KindText})
		if len(bad) == 0 || !errors.Is(bad[len(bad)-1], io.ErrUnexpectedEOF) || !slices.Contains(places, "b.txt") {
			t.Errorf("%s: got %q, %v", name, places, bad)
		}
	}
}

// TestMemory checks that what never ends is not held as a whole.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	gzipped := func(s string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, s)
		_ = z.Close()
		return b.Bytes()
	}
	endless := bytes.Repeat(gzipped(strings.Repeat("x", 1<<20)), 64) // an archive may have many members
	for name, around := range map[string][2]string{
		"a.csv.gz": {"text\na\n\"", "\nb\n"}, "b.jsonl.gz": {"{\"text\":\"a\"}\n", "\n{\"text\":\"b\"}\n"},
		"c.mbox.gz": {"From a\n", "\nFrom b\nS: s\n\nb\n"}, "d.txt.gz": {"", ""},
	} {
		data := slices.Concat(gzipped(around[0]), endless, gzipped(around[1]))
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []struct{ name, places string }{
		{"a.csv.gz", "a.csv.gz:2 a.csv.gz:3! a.csv.gz:4"}, {"b.jsonl.gz", "b.jsonl.gz:1 b.jsonl.gz:2! b.jsonl.gz:3"},
		{"c.mbox.gz", "c.mbox.gz:1! c.mbox.gz:2"}, {"d.txt.gz", "d.txt.gz!"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		places, _ := outline(t, Files{Paths: []string{filepath.Join(dir, k.name)}, Kind: schemas.KindText})
		runtime.ReadMemStats(&after)
		if got := strings.Join(places, " "); got != k.places {
			t.Errorf("%s: got %s, want %s", k.name, got, k.places)
		}
		// What is allocated while a buffer grows to the limit, by a quarter each time.
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 12*maxRecord>>20 {
			t.Errorf("%s: reading 64 MiB allocated %d MiB", k.name, mib)
		}
	}
}

// TestIDs checks that an import that is repeated gives the same ids, from whichever folder
// it is begun, and that equal files in two folders give different ones.
func TestIDs(t *testing.T) {
	dir := t.TempDir()
	content := map[string]string{
		"a.jsonl": "{\"text\":\"a\"}\n{\"text\":\"a\"}\n", "a.csv": "text\na\na\n", "a.mbox": "From a\nS: s\n\nFrom a\nS: s\n\n", "a.eml": "S: s\n\n", "a.txt": "a",
	}
	for name, text := range content {
		write(t, dir, "one/"+name, text)
		write(t, dir, "two/"+name, text)
	}
	ids := func(paths ...string) (all []string) {
		for i, err := range (Files{Paths: paths, Kind: schemas.KindText}).Items() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, i.Event.Env().EventID)
		}
		return all
	}
	want := ids(filepath.Join(dir, "one"), filepath.Join(dir, "two"))
	different := map[string]bool{}
	for _, id := range want {
		different[id] = true
	}
	if len(want) != 16 || len(different) != 16 {
		t.Errorf("%d events have %d ids", len(want), len(different))
	}
	t.Chdir(filepath.Join(dir, "two"))
	if got := ids("../one/", "."); !slices.Equal(got, want) {
		t.Errorf("relative paths give other ids: %q, not %q", got, want)
	}
	if got := ids("a.txt"); got[0] != want[15] {
		t.Errorf("a file by its name has another id than among its folder's: %s, not %s", got[0], want[15])
	}
}

// FuzzFiles checks that whatever lies in a file, reading it ends and names each record once.
func FuzzFiles(f *testing.F) {
	for _, format := range []Format{JSONL, CSV, Mail, Mbox, Plain} {
		f.Add(string(format), []byte("From a\ntext,label\n\"a\"b,\"c\n\"\r\n\n{\"text\":\"\xff\"}"))
		f.Add(string(format), []byte("text\n\"a"))
	}
	f.Fuzz(func(t *testing.T, format string, content []byte) {
		seen := map[string]bool{}
		file{Files: Files{Format: Format(format), Kind: schemas.KindText}, name: "f", path: "/f"}.read(bytes.NewReader(content), func(i Item, err error) bool {
			place := i.Place
			var bad *BadItem
			if errors.As(err, &bad) {
				place = bad.Place
			}
			if seen[place] {
				t.Fatalf("%q comes twice", place)
			}
			seen[place] = true
			return true
		})
	})
}
