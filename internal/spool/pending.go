package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/objstore"
)

// Held is what a spool has said of itself: how many events it has acknowledged that are
// not on the log yet.
type Held struct {
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
	// Unreadable are events that it acknowledged and cannot read any more.
	Unreadable uint64 `json:"unreadable,omitempty"`
	// At is when it said so: a spool that died since may hold more, or less.
	At time.Time `json:"at"`
}

const (
	// prefix leads the keys: spools/NAME/N, the largest N counts.
	prefix = "spools/"
	// publishEvery bounds how often a spool tells what it holds.
	publishEvery = 3 * time.Second
)

// Publish tells the object store what the spool holds, whenever that has changed, until
// ctx ends. An error is the store's: whoever calls it tries again.
func (s *Spool) Publish(ctx context.Context, store objstore.Store) error {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		if err := s.Tell(ctx, store); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Tell puts what the spool holds now into the object store, where that is not what it told
// before, and keeps only the newest.
func (s *Spool) Tell(ctx context.Context, store objstore.Store) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	t := s.Status()
	h := Held{Events: t.Events, Bytes: t.Bytes, Unreadable: t.Unreadable}
	if s.told != nil && *s.told == h {
		return nil
	}
	var older []string
	for info, err := range store.List(ctx, prefix+s.name+"/") {
		if err != nil {
			return fmt.Errorf("spool: look for what was published: %w", err)
		}
		if _, n, ok := parseKey(info.Key); ok {
			older, s.toldAt = append(older, info.Key), max(s.toldAt, n)
		}
	}
	said := h
	h.At = time.Now().UTC()
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("spool: render what is held: %w", err)
	}
	s.toldAt++
	if err := store.Create(ctx, key(s.name, s.toldAt), data); err != nil {
		return fmt.Errorf("spool: publish what is held: %w", err)
	}
	s.told = &said
	for _, k := range older {
		if err := store.Delete(ctx, k); err != nil {
			return fmt.Errorf("spool: remove what was published before: %w", err)
		}
	}
	return nil
}

func key(name string, n uint64) string { return fmt.Sprintf("%s%s/%020d", prefix, name, n) }

func parseKey(key string) (name string, n uint64, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	name, number, found := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(number, 10, 64)
	return name, n, ok && found && err == nil
}

// Pending is what all spools of a deployment hold, by name, as each has published last.
func Pending(ctx context.Context, store objstore.Store) (map[string]Held, error) {
	newest := map[string]uint64{}
	for info, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("spool: list what is held: %w", err)
		}
		if name, n, ok := parseKey(info.Key); ok {
			newest[name] = max(newest[name], n)
		}
	}
	all := map[string]Held{}
	for name, n := range newest {
		h, err := held(ctx, store, name, n)
		if err != nil {
			return nil, err
		}
		all[name] = h
	}
	return all, nil
}

// moves bounds how often a spool may say something new while it is read.
const moves = 10

// held reads what a spool has published under n or, where that was removed meanwhile,
// under what follows it.
func held(ctx context.Context, store objstore.Store, name string, n uint64) (h Held, err error) {
	for range moves {
		var data []byte
		data, err = store.Get(ctx, key(name, n))
		if err == nil {
			err = json.Unmarshal(data, &h)
		}
		if !errors.Is(err, objstore.ErrNotFound) {
			break
		}
		n++
	}
	if err != nil {
		return h, fmt.Errorf("spool: read what %s holds: %w", name, err)
	}
	return h, nil
}
