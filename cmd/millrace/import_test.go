package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestImportNote notes how far an import came, over an older note, and reads it; a torn
// note, as a crash once left it, counts as none.
func TestImportNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "imports", "x.json")
	if s, err := loadImport(path); s != (importState{}) || err != nil {
		t.Errorf("without a note: got %+v, %v", s, err)
	}
	for _, want := range []importState{{"a.jsonl:1000", 1000}, {"b:2", 1}} {
		if err := saveImport(path, want); err != nil {
			t.Fatal(err)
		}
		if s, err := loadImport(path); s != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", s, err, want)
		}
	}
	if found, err := os.ReadDir(filepath.Dir(path)); err != nil || len(found) != 1 {
		t.Errorf("the folder holds %v, %v, want the note alone", found, err)
	}
	for _, torn := range []string{"", `{"last":"b:2","events":`} {
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := loadImport(path); s != (importState{}) || err == nil {
			t.Errorf("of %q: got %+v, %v, want none and an error", torn, s, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := saveImport(path, importState{Last: "a"}); err == nil {
		t.Error("a note took the place of a folder")
	}
	if found, err := os.ReadDir(filepath.Dir(path)); err != nil || len(found) != 1 {
		t.Errorf("a note that failed left %v, %v", found, err)
	}
}
