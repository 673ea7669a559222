package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
)

// TestDamaged damages each page of a spool, one after the other, and takes each segment
// away. What is sound is read, in its order; what is not is counted, and its segment is
// there, as it was, when all was confirmed.
func TestDamaged(t *testing.T) {
	const records = 30
	whole := memory(t)
	s := mustOpen(t, whole)
	appendAll(t, s, sequence(1, records)...)
	files := map[string]int64{}
	for _, g := range s.segments {
		files[g.name] = g.size
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("there are %d segments, want 3 or more", len(files))
	}
	damages := 0
	for name, size := range files {
		for at := int64(0); at < size; at += page {
			what := fmt.Sprintf("%s damaged at %d", name, at)
			fs := memory(t)
			copyAll(t, whole, fs)
			flip(t, fs, folder+"/"+name, at+20)
			was := contents(t, fs, folder+"/"+name)
			lost, counted := readDamaged(t, fs, what, records)
			if len(lost) > 0 {
				damages++
				if now := contents(t, fs, folder+"/"+name+damagedSuffix); !bytes.Equal(was, now) {
					t.Errorf("%s: %d are lost, and what is kept of the segment is not what it was", what, lost)
				}
			}
			// Each batch has one record. Nobody can tell the last one, without its header, from
			// a write that was cut short.
			if len(lost) > 1 || counted != len(lost) && lost[0] != records {
				t.Errorf("%s: %d are lost, want one at most; %d counted", what, lost, counted)
			}
		}
		fs := memory(t)
		copyAll(t, whole, fs)
		if err := fs.Remove(folder + "/" + name); err != nil {
			t.Fatal(err)
		}
		if lost, counted := readDamaged(t, fs, name+" taken away", records); len(lost) == 0 || counted != len(lost) && lost[len(lost)-1] != records {
			t.Errorf("%s taken away: %d are lost, %d counted", name, lost, counted)
		}
	}
	if damages < records {
		t.Errorf("%d pages harmed a record, want %d or more", damages, records)
	}
}

// readDamaged reads the records up to records, and one more that it appends, and confirms
// them. It returns which are lost, and how many the spool says are.
func readDamaged(t *testing.T, fs *vfs.MemFS, what string, records uint64) (lost []uint64, counted int) {
	t.Helper()
	const more = 1000
	s := mustOpen(t, fs)
	appendAll(t, s, more)
	r := s.Reader()
	first, _ := drain(t, r)
	r.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fs)
	r = s.Reader()
	got, through := drain(t, r)
	r.Close()
	if !slices.Equal(first, got) {
		t.Errorf("%s: it gave %d, and opened again %d", what, first, got)
	}
	counted = int(s.Status().Unreadable)
	s.Confirm(through)
	if err := s.tidyUpSoon(t); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lost = slices.DeleteFunc(append(sequence(1, records), more), func(n uint64) bool { return slices.Contains(got, n) })
	if !slices.IsSorted(got) || len(got)+len(lost) != int(records)+1 {
		t.Errorf("%s: it gave %d", what, got)
	}
	return lost, counted
}

func copyAll(t testing.TB, from, to *vfs.MemFS) {
	t.Helper()
	names, err := from.List(folder)
	if err == nil {
		err = to.MkdirAll(folder, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b := contents(t, from, folder+"/"+name)
		store(t, to, folder+"/"+name, b)
	}
}

func contents(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func store(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path)
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncDir(fs, folder))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(t testing.TB, fs vfs.FS, path string, at int64) {
	t.Helper()
	b := contents(t, fs, path)
	b[at] ^= 0x40
	store(t, fs, path, b)
}
