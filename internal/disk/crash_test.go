package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/disk/disktest"
)

// content is what the test writes into a file, in two parts.
func content(name string, version int) string {
	return strings.Repeat(fmt.Sprintf("%s.%d|", name, version), 2000)
}

// done is a file that was made, or replaced by a version.
type done struct {
	name    string
	version int
}

const created, versions = 3, 3

// work is what the program does with files of its own: a secret is created, by two who
// meet, and an address is replaced.
func work(on *disktest.FS, ack func(done)) error {
	d := Disk{on}
	if err := disktest.Tries(func() error { return d.MkdirAll("/data/of/it") }); err != nil {
		return err
	}
	for i := range created {
		name := fmt.Sprintf("/data/of/it/secret%d", i)
		for range 2 { // the second finds it there
			err := disktest.Tries(func() error {
				text := content(name, 0)
				err := d.Create(name, 0o600, func(w io.Writer) error {
					_, first := io.WriteString(w, text[:len(text)/2])
					_, second := io.WriteString(w, text[len(text)/2:])
					return errors.Join(first, second)
				})
				if errors.Is(err, fs.ErrExist) {
					return nil
				}
				return err
			})
			if err != nil {
				return err
			}
			ack(done{name, 0})
		}
	}
	for i := 1; i <= versions; i++ {
		const name = "/data/of/it/run.json"
		if err := disktest.Tries(func() error { return d.Replace(name, 0o600, []byte(content(name, i))) }); err != nil {
			return err
		}
		ack(done{name, i})
	}
	return nil
}

// check is a process that comes later: what was acknowledged must be there, at least in
// the version that was, and everything whole; and it can do the work again.
func check(on *disktest.FS, acked []done) error {
	least := map[string]int{}
	for _, a := range acked {
		least[a.name] = a.version
	}
	read := func(name string) (version int, err error) {
		f, err := on.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return -1, nil
		}
		if err != nil {
			return 0, err
		}
		data, err := io.ReadAll(f)
		for v := range versions + 1 {
			if string(data) == content(name, v) {
				return v, err
			}
		}
		return 0, fmt.Errorf("%s holds %d bytes, and no version of it: %.40q", name, len(data), data)
	}
	for _, again := range []bool{false, true} {
		if again {
			if err := work(on, func(a done) { least[a.name] = a.version }); err != nil {
				return fmt.Errorf("the next process: %w", err)
			}
		}
		for i := range created + 1 {
			name := fmt.Sprintf("/data/of/it/secret%d", i)
			if i == created {
				name = "/data/of/it/run.json"
			}
			version, err := read(name)
			if err != nil {
				return err
			}
			if want, ok := least[name]; ok && version < want {
				return fmt.Errorf("%s is of version %d, and %d was acknowledged", name, version, want)
			}
		}
	}
	return nil
}

// TestEveryCrash lets the machine crash before each change that is made to the disk.
func TestEveryCrash(t *testing.T) {
	t.Logf("%d crashes, each in every way", disktest.EveryCrash(t, disktest.Crashes{Seed: 1, Keeps: disktest.Any(), Tries: 3}, work, check))
}

// TestEveryFault lets each change fail.
func TestEveryFault(t *testing.T) {
	t.Logf("%d changes failed", disktest.EveryFault(t, work, check))
}
