package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/disk/disktest"
)

// step is something that a store has acknowledged.
type step struct {
	key string
	// held says that the object was given up for a short one.
	held bool
}

func whole(key string) string { return strings.Repeat(key+" ", 1000) }

const given = "held"

var keys = []string{"claims/a/0", "claims/a/1", "commits/a/0", "lake/t/k/d/0.parquet"}

// work makes objects as two processes do that meet, and gives one up.
func work(on *disktest.FS, ack func(step)) error {
	ctx := context.Background()
	for process := range 2 {
		var s *FolderStore
		err := disktest.Tries(func() (err error) { s, err = FolderOn(on, "/objects"); return err })
		if err != nil {
			return err
		}
		for _, key := range keys {
			err := disktest.Tries(func() error {
				err := s.CreateFunc(ctx, key, func(w io.Writer) error {
					_, first := io.WriteString(w, whole(key)[:10])
					_, second := io.WriteString(w, whole(key)[10:])
					return errors.Join(first, second)
				})
				if errors.Is(err, ErrExists) {
					return nil
				}
				return err
			})
			if err != nil {
				return err
			}
			ack(step{key: key})
		}
		if err := disktest.Tries(func() error { return s.Hold(ctx, keys[0], []byte(given)) }); err != nil {
			return err
		}
		ack(step{key: keys[0], held: true})
		key := fmt.Sprintf("requests/%d", process)
		for _, change := range []func() error{
			func() error {
				if err := s.Create(ctx, key, []byte(whole(key))); !errors.Is(err, ErrExists) {
					return err
				}
				return nil
			},
			func() error { return s.Delete(ctx, key) },
		} {
			if err := disktest.Tries(change); err != nil {
				return err
			}
		}
	}
	return nil
}

// check lists the store and reads it: all that was acknowledged must be there, no object
// by half, and whoever comes can do the same again.
func check(on *disktest.FS, acked []step) error {
	ctx := context.Background()
	s, err := FolderOn(on, "/objects")
	if err != nil {
		return err
	}
	must := map[string]bool{} // whether it was held
	for _, a := range acked {
		must[a.key] = must[a.key] || a.held
	}
	for _, again := range []bool{false, true} {
		if again {
			if err := work(on, func(a step) { must[a.key] = must[a.key] || a.held }); err != nil {
				return fmt.Errorf("the next process: %w", err)
			}
		}
		there := map[string]bool{}
		for info, err := range s.List(ctx, "") {
			if err != nil {
				return err
			}
			there[info.Key] = true
			data, err := s.Get(ctx, info.Key)
			if err != nil {
				return err
			}
			held := info.Key == keys[0] && string(data) == given
			if !held && string(data) != whole(info.Key) {
				return fmt.Errorf("%s holds %d bytes, want %d: %.30q", info.Key, len(data), len(whole(info.Key)), data)
			}
			if must[info.Key] && !held {
				return fmt.Errorf("%s was held, and is what it was", info.Key)
			}
		}
		for key := range must {
			if !there[key] {
				return fmt.Errorf("%s was acknowledged, and is not there", key)
			}
		}
	}
	return nil
}

// TestEveryCrash lets the machine crash before each change that a store makes.
func TestEveryCrash(t *testing.T) {
	t.Logf("%d crashes, each in every way", disktest.EveryCrash(t, disktest.Crashes{Seed: 1, Keeps: disktest.Any(), Tries: 3}, work, check))
}

// TestEveryFault lets each change fail, by a full disk and by a broken one.
func TestEveryFault(t *testing.T) {
	t.Logf("%d changes failed", disktest.EveryFault(t, work, check))
}
