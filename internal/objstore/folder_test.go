package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/internal/disk/disktest"
)

func folder(t *testing.T) (*FolderStore, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// files lists every file under dir, temporary ones included.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(p, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestCreateOnce lets 16 writers race for each key: one wins, and the object is its.
func TestCreateOnce(t *testing.T) {
	s, dir := folder(t)
	const keys, writers = 25, 16
	for k := range keys {
		key := fmt.Sprintf("claims/%d/a", k)
		var won sync.Map
		var wg sync.WaitGroup
		start := make(chan struct{})
		for w := range writers {
			wg.Go(func() {
				<-start
				switch err := s.Create(t.Context(), key, fmt.Appendf(nil, "writer %d", w)); {
				case err == nil:
					won.Store(w, true)
				case !errors.Is(err, ErrExists):
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		var winners []int
		won.Range(func(w, _ any) bool { winners = append(winners, w.(int)); return true })
		if len(winners) != 1 {
			t.Fatalf("key %s: writers %v have created it", key, winners)
		}
		data, err := s.Get(t.Context(), key)
		if want := fmt.Sprintf("writer %d", winners[0]); err != nil || string(data) != want {
			t.Fatalf("key %s holds %q, %v; want %q", key, data, err, want)
		}
	}
	if found := files(t, dir); len(found) != keys {
		t.Fatalf("%d files are there of %d keys: %v", len(found), keys, found)
	}
}

var errWrite = errors.New("the source broke")

// TestFailedWrite checks that a write that fails leaves nothing, and may be done again.
func TestFailedWrite(t *testing.T) {
	s, dir := folder(t)
	err := s.CreateFunc(t.Context(), "a/b/c", func(w io.Writer) error {
		if _, err := w.Write([]byte("half")); err != nil {
			return err
		}
		return errWrite
	})
	if !errors.Is(err, errWrite) || !strings.Contains(err.Error(), "a/b/c") {
		t.Errorf("the error is %v; want one that wraps the writer's and names the key", err)
	}
	if found := files(t, dir); len(found) != 0 {
		t.Errorf("the failed write left %v", found)
	}
	if err := s.Create(t.Context(), "a/b/c", []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Get(t.Context(), "a/b/c"); err != nil || string(data) != "whole" {
		t.Fatalf("%q, %v", data, err)
	}
}

func TestBadKeys(t *testing.T) {
	s, dir := folder(t)
	ctx := t.Context()
	for _, key := range []string{"", ".", "..", "/a", "../a", "a/../b", "a/../../b", "a//b", "a/", "./a", "a\\b", "a\x00b", "a/.tmp-1", ".tmp-1"} {
		_, getErr := s.Get(ctx, key)
		_, openErr := s.Open(ctx, key)
		for what, err := range map[string]error{"create": s.Create(ctx, key, nil), "hold": s.Hold(ctx, key, nil), "get": getErr, "open": openErr, "delete": s.Delete(ctx, key)} {
			if err == nil || !strings.Contains(err.Error(), "is no key") || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
				t.Errorf("%s %q: %v; want an error that says it is no key", what, key, err)
			}
		}
	}
	if found := files(t, filepath.Dir(dir)); len(found) != 0 {
		t.Errorf("bad keys made %v", found)
	}
}

// TestErrors checks that errors are the documented ones and name the key.
func TestErrors(t *testing.T) {
	s, _ := folder(t)
	ctx := t.Context()
	if err := s.Create(ctx, "x/taken", []byte("1")); err != nil {
		t.Fatal(err)
	}
	_, getErr := s.Get(ctx, "x/none")
	_, openErr := s.Open(ctx, "x/none")
	_, getFolder := s.Get(ctx, "x")
	_, openFolder := s.Open(ctx, "x")
	for _, c := range []struct {
		what, key string
		err, want error
	}{
		{"get", "x/none", getErr, ErrNotFound},
		{"open", "x/none", openErr, ErrNotFound},
		{"get a folder", "x", getFolder, ErrNotFound},
		{"open a folder", "x", openFolder, ErrNotFound},
		{"create", "x/taken", s.Create(ctx, "x/taken", []byte("2")), ErrExists},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.key) {
			t.Errorf("%s: %v; want %v, and the key %s named", c.what, c.err, c.want, c.key)
		}
	}
	if err := s.Create(ctx, "x/taken/below", nil); err == nil || errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "x/taken/below") {
		t.Errorf("create below an object: %v; want an error that names the key", err)
	}
	if err := s.Delete(ctx, "x/none"); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	if err := s.Delete(ctx, "x/taken"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(ctx, "x/taken"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
}

func list(ctx context.Context, s Store, prefix string) (keys []string, err error) {
	for info, e := range s.List(ctx, prefix) {
		if e != nil {
			return keys, e
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func TestList(t *testing.T) {
	s, dir := folder(t)
	ctx := t.Context()
	for _, key := range []string{"c/10", "c/2", "c/1/x", "c-d/1", "c", "b"} {
		if key == "c" { // an object cannot be a folder too
			key = "cc"
		}
		if err := s.Create(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "c", disk.TempPrefix+"1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"":         {"b", "c-d/1", "c/1/x", "c/10", "c/2", "cc"},
		"c/":       {"c/1/x", "c/10", "c/2"},
		"c/1":      {"c/1/x", "c/10"},
		"c":        {"c-d/1", "c/1/x", "c/10", "c/2", "cc"},
		"none/":    nil,
		"b/below/": nil,
	} {
		got, err := list(ctx, s, prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("list %q: %v, %v; want %v", prefix, got, err, want)
		}
	}
	for info, err := range s.List(ctx, "c/1/") {
		if err != nil || info.Bytes != 5 || time.Since(info.Modified) > time.Hour {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if got, err := list(ctx, s, "../"); err == nil || !strings.Contains(err.Error(), "../") {
		t.Errorf("list outside of the folder: %v, %v; want an error", got, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := list(cancelled, s, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("list under a cancelled context: %v", err)
	}
}

// TestSweep checks that opening a store removes what dead writers left, and nothing of
// those that may be alive.
func TestSweep(t *testing.T) {
	s, dir := folder(t)
	if err := s.Create(t.Context(), "a/object", nil); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{disk.TempPrefix + "old": 2 * staleAfter, disk.TempPrefix + "new": 0, "object": 2 * staleAfter} {
		p := filepath.Join(dir, "a", name)
		if name != "object" {
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Folder(dir); err != nil {
		t.Fatal(err)
	}
	got, want := files(t, dir), []string{"a/" + disk.TempPrefix + "new", "a/object"}
	if !slices.Equal(got, want) {
		t.Errorf("after the sweep: %v, want %v", got, want)
	}
}

func TestOpenReadsAnywhere(t *testing.T) {
	s, _ := folder(t)
	if err := s.Create(t.Context(), "k", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	buf := make([]byte, 3)
	if _, err := o.ReadAt(buf, 4); err != nil || string(buf) != "456" || o.Size() != 10 {
		t.Errorf("%q of %d bytes, %v", buf, o.Size(), err)
	}
}

// TestHold empties an object: who has it open reads on, its name stays taken, and a full
// disk does not keep anybody from it.
func TestHold(t *testing.T) {
	s, dir := folder(t)
	ctx := t.Context()
	for _, key := range []string{"a/none", "a"} {
		if err := s.Hold(ctx, key, nil); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), key) {
			t.Errorf("hold of %s, which is no object: %v", key, err)
		}
		if err := s.Create(ctx, "a/b", []byte("all of it")); err != nil && !errors.Is(err, ErrExists) {
			t.Fatal(err)
		}
	}
	before, err := s.Open(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	s.disk.FS = &disktest.FS{FS: s.disk.FS, Free: func() uint64 { return disk.Reserve }}
	synced := syncs(s)
	for range 2 {
		if err := s.Hold(ctx, "a/b", []byte("-")); err != nil {
			t.Fatal(err)
		}
	}
	if want := filepath.Join(dir, "a"); !slices.Equal(*synced, []string{want, want}) {
		t.Errorf("synced %v, want %s twice", *synced, want)
	}
	if data, err := io.ReadAll(io.NewSectionReader(before, 0, before.Size())); err != nil || string(data) != "all of it" {
		t.Errorf("who had it open reads %q, %v", data, err)
	}
	if data, err := s.Get(ctx, "a/b"); err != nil || string(data) != "-" {
		t.Errorf("it holds %q, %v", data, err)
	}
	if err := s.Create(ctx, "a/b", []byte("anew")); !errors.Is(err, ErrExists) {
		t.Errorf("its name is taken, and a writer gets %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"a/b"}) {
		t.Errorf("there are %v", got)
	}
}

// syncs notes the folders whose names a store makes durable.
func syncs(s *FolderStore) *[]string {
	var all []string
	s.disk.FS = &disktest.FS{FS: s.disk.FS, Before: func(op disktest.Op, path string) error {
		if op == disktest.OpSyncDir {
			all = append(all, path)
		}
		return nil
	}}
	return &all
}

// TestExistsIsDurable plays a writer that dies before it has made durable what it has
// linked, in a folder that it has made: whoever meets the object goes on as if it were
// its own, so it must be durable before that one is told.
func TestExistsIsDurable(t *testing.T) {
	s, dir := folder(t)
	if err := s.disk.MkdirAll(filepath.Join(dir, "claims", "0")); err != nil {
		t.Fatal(err)
	}
	died := filepath.Join(dir, "claims", "0", "7")
	if err := os.WriteFile(died, []byte("of one who died"), 0o600); err != nil {
		t.Fatal(err)
	}
	synced := syncs(s)
	// Before the object is begun, and behind another's link in its midst.
	if err := s.Create(t.Context(), "claims/0/7", nil); !errors.Is(err, ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	want := []string{dir, filepath.Join(dir, "claims"), filepath.Join(dir, "claims", "0")}
	if !slices.Equal(*synced, want) {
		t.Errorf("synced %v, want %v", *synced, want)
	}
	*synced = nil
	err := s.CreateFunc(t.Context(), "claims/0/8", func(io.Writer) error {
		return os.Link(died, filepath.Join(dir, "claims", "0", "8"))
	})
	if !errors.Is(err, ErrExists) || !slices.Equal(*synced, want[2:]) {
		t.Errorf("a name that another took meanwhile: %v; synced %v, want %v", err, *synced, want[2:])
	}
	*synced = nil
	if err := s.Create(t.Context(), "claims/0/9", nil); err != nil || !slices.Equal(*synced, want[2:]) {
		t.Errorf("a new object in a folder that is known: %v; synced %v, want %v", err, *synced, want[2:])
	}
}

// TestFullDisk checks that nothing is written into the reserve, and that what is there is
// still said to be.
func TestFullDisk(t *testing.T) {
	s, dir := folder(t)
	if err := s.Create(t.Context(), "a/before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	s.disk.FS = &disktest.FS{FS: s.disk.FS, Free: func() uint64 { return disk.Reserve }}
	if err := s.Create(t.Context(), "a/before", []byte("2")); !errors.Is(err, ErrExists) {
		t.Errorf("what is there: %v", err)
	}
	if err := s.Create(t.Context(), "a/new", []byte("2")); !errors.Is(err, disk.ErrFull) || !strings.Contains(err.Error(), "a/new") {
		t.Errorf("on a full disk: %v; want one that names the key", err)
	}
	if got, want := files(t, dir), []string{"a/before"}; !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
}
