package spool

import (
	"errors"
	"testing"

	"github.com/millrace-io/millrace/internal/objstore"
)

// TestPending checks that what is published is what the spool holds, under the same name
// when it was opened again, and that only the newest of it is there.
func TestPending(t *testing.T) {
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fs := memory(t)
	s := mustOpen(t, fs)
	tell := func(want uint64) {
		t.Helper()
		if err := s.Tell(t.Context(), objects); err != nil {
			t.Fatal(err)
		}
		all, err := Pending(t.Context(), objects)
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := all[s.Name()]; len(all) != 1 || !ok || h.Events != want || h.At.IsZero() {
			t.Errorf("what is published is %+v, want %d events of %s", all, want, s.Name())
		}
		n := 0
		for _, err := range objects.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d objects are there, want the newest alone", n)
		}
	}
	if all, err := Pending(t.Context(), objects); err != nil || len(all) > 0 {
		t.Errorf("without a spool there are %v, %v", all, err)
	}
	tell(0)
	appendAll(t, s, 1, 2, 3)
	tell(3)
	s.Confirm(2)
	tell(1)
	was, err := Pending(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	tell(1)
	if is, err := Pending(t.Context(), objects); err != nil || is[s.Name()] != was[s.Name()] {
		t.Errorf("what did not change was published again: %v, %v", is, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fs)
	defer s.Close()
	tell(1)
	appendAll(t, s, 4)
	// A process died between the new object and the removal of the old.
	if err := objects.Create(t.Context(), key(s.Name(), s.toldAt+1), []byte(`{"events":77}`)); err != nil {
		t.Fatal(err)
	}
	tell(2)
	if _, err := objects.Get(t.Context(), key(s.Name(), 1)); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("the first object is still there: %v", err)
	}
}
