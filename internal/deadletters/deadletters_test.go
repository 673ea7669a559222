package deadletters

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// TestMarks sets marks of several letters, twice, and reads them back.
func TestMarks(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ids := []ID{{bus.TopicID{1}, 0, 0}, {bus.TopicID{1}, 1, 1 << 40}, {bus.TopicID{2}, 0, 7}}
	m := Mark{At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), By: "ada", As: "raw.text/0:8"}
	for _, id := range ids {
		if err := Set(t.Context(), objects, Replayed, id, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := Set(t.Context(), objects, Replayed, ids[0], Mark{As: "another"}); err != nil {
		t.Errorf("a second mark: %v", err)
	}
	all, err := All(t.Context(), objects, Replayed)
	if err != nil || len(all) != len(ids) || !all[ids[0]] || !all[ids[1]] || !all[ids[2]] {
		t.Errorf("marked are %v, %v, want %v", all, err, ids)
	}
	if got, ok, err := Get(t.Context(), objects, Replayed, ids[0]); err != nil || !ok || got != m {
		t.Errorf("the mark is %+v, %v, %v, want the first, %+v", got, ok, err, m)
	}
	if _, ok, err := Get(t.Context(), objects, Dropped, ids[0]); err != nil || ok {
		t.Errorf("what was replayed is dropped: %v, %v", ok, err)
	}
}

// TestResumed checks that the furthest look at a partition counts, of that partition alone.
func TestResumed(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := bus.Partition{Topic: "raw.text", TopicID: bus.TopicID{1}, Partition: 1}
	for _, id := range []ID{{at.TopicID, 1, 9}, {at.TopicID, 1, 10}, {at.TopicID, 1, 2}, {at.TopicID, 10, 99}, {bus.TopicID{2}, 1, 99}} {
		if err := Resume(t.Context(), objects, id, Mark{}); err != nil {
			t.Fatal(err)
		}
	}
	if below, err := Resumed(t.Context(), objects, at); err != nil || below != 10 {
		t.Errorf("%s was looked at below %d, %v, want 10", at, below, err)
	}
}

// FuzzMark reads what may stand in the object store: a mark that is read is written alike.
func FuzzMark(f *testing.F) {
	id := ID{bus.TopicID{1}, 3, 1 << 40}
	f.Add(id.key(Dropped), []byte(`{"at":"2026-01-02T03:04:05Z","by":"ada"}`))
	f.Add("deadletters/dropped/00/-1/x", []byte(`{"at":7}`))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		if id, ok := parseKey(key); ok {
			if again, ok := parseKey(id.key(Dropped)); !ok || again != id {
				t.Fatalf("%q is read as %v, and what that is written as, as %v", key, id, again)
			}
		}
		_, _ = parseMark(data)
	})
}
