package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// snapshot is the whole account at one moment, from which the ledger goes on. It is taken
// whole: a verdict that was read is in it, and so is the record that it speaks of.
type snapshot struct {
	Inputs  map[string]*savedInput  `json:"inputs"`
	Outputs map[string]*savedOutput `json:"outputs"`
}

// savedInput is the account of an input's partition.
type savedInput struct {
	bus.Start
	From    int64        `json:"from"`
	Base    int64        `json:"base"`
	Cells   []byte       `json:"cells"`
	Done    InputAccount `json:"done"`
	Skipped int64        `json:"skipped"`
	Times   []moment     `json:"times"`
}

// savedOutput is the account of an output's partition, all of it in every store.
type savedOutput struct {
	bus.Start
	Account OutputAccount `json:"account"`
	Last    time.Time     `json:"last"`
}

func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

func (s *snapshot) input(at place) *savedInput {
	if s == nil {
		return nil
	}
	return s.Inputs[at.String()]
}

func (s *snapshot) output(at place) *savedOutput {
	if s == nil {
		return nil
	}
	return s.Outputs[at.String()]
}

// same says whether s is of the same places as t.
func (s *snapshot) same(t *snapshot) bool {
	if t == nil {
		return false
	}
	for at, in := range s.Inputs {
		if was := t.Inputs[at]; was == nil || was.Offset != in.Offset || was.Base != in.Base {
			return false
		}
	}
	for at, out := range s.Outputs {
		if was := t.Outputs[at]; was == nil || was.Offset != out.Offset {
			return false
		}
	}
	return true
}

// restore takes the account of an input up again, and returns where it is read from.
func (s *savedInput) restore(in *input) bus.Start {
	in.from, in.base, in.cells, in.next = s.From, s.Base, s.Cells, s.Offset
	in.done, in.skipped, in.before = s.Done.clone(), s.Skipped, s.Skipped
	in.times, in.waiting = s.Times, 0
	for _, c := range in.known() {
		if c == open {
			in.waiting++
		}
	}
	return s.Start
}

// snapshot takes one. The verdicts in it count as stored, so it must not be used
// before every store has settled every output up to its place in it.
func (a *account) snapshot() *snapshot {
	s := &snapshot{Inputs: map[string]*savedInput{}, Outputs: map[string]*savedOutput{}}
	for at, in := range a.inputs {
		f := a.readers[in.topic.Name]
		saved := &savedInput{
			Start: bus.Start{Offset: f.Positions()[at.partition], Marks: f.Marks(at.partition)},
			From:  in.from, Base: in.base, Cells: make([]byte, len(in.cells)), Done: in.done.clone(), Skipped: in.skipped,
			Times: slices.Clone(in.times),
		}
		for i, c := range in.cells {
			if c >= judged {
				c |= stored
			}
			saved.Cells[i] = c
		}
		s.Inputs[at.String()] = saved
	}
	for at, o := range a.outputs {
		f := a.readers[o.topic.Name]
		s.Outputs[at.String()] = &savedOutput{
			Start:   bus.Start{Offset: o.next, Marks: f.Marks(at.partition)},
			Account: o.now.clone(), Last: o.last,
		}
	}
	return s
}

// settled says whether every store has settled every output up to its place in s.
func (a *account) settled(s *snapshot) bool {
	for at, o := range a.outputs {
		if o.settled() < s.Outputs[at.String()].Offset {
			return false
		}
	}
	return true
}

// accountsKept is how many snapshots stay: the newest may prove unreadable.
const accountsKept = 3

const accountsPrefix = "accounts/"

// load reads the newest snapshot that can be read; nil where there is none. next is the
// number of the one that comes behind it.
func load(ctx context.Context, store objstore.Store) (s *snapshot, next int64, damaged []error, err error) {
	var keys []string
	for info, err := range store.List(ctx, accountsPrefix) {
		if err != nil {
			return nil, 0, nil, fmt.Errorf("ledger: list accounts: %w", err)
		}
		keys = append(keys, info.Key)
	}
	for i := len(keys) - 1; i >= 0; i-- {
		n, err := strconv.ParseInt(path.Base(keys[i]), 10, 64)
		if err != nil {
			continue
		}
		next = max(next, n+1)
		if s, err = decodeSnapshot(ctx, store, keys[i]); err == nil {
			return s, next, damaged, nil
		}
		damaged = append(damaged, err)
	}
	return nil, next, damaged, nil
}

func decodeSnapshot(ctx context.Context, store objstore.Store, key string) (*snapshot, error) {
	data, err := store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	defer z.Close()
	s := new(snapshot)
	if data, err = z.DecodeAll(data, nil); err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", key, err)
	}
	return s, nil
}

// save puts a snapshot under the next free number from n on, removes the oldest, and
// returns the number behind. Another ledger's snapshots are as good as one's own.
func save(ctx context.Context, store objstore.Store, n int64, s *snapshot) (int64, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return n, fmt.Errorf("ledger: render an account: %w", err)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return n, fmt.Errorf("ledger: %w", err)
	}
	defer func() { _ = z.Close() }() // EncodeAll leaves nothing to flush
	for data = z.EncodeAll(data, nil); ; n++ {
		err := store.Create(ctx, fmt.Sprintf("%s%020d", accountsPrefix, n), data)
		if errors.Is(err, objstore.ErrExists) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("ledger: %w", err)
		}
		break
	}
	var keys []string
	for info, err := range store.List(ctx, accountsPrefix) {
		if err != nil {
			return n, fmt.Errorf("ledger: list accounts: %w", err)
		}
		keys = append(keys, info.Key)
	}
	for len(keys) > accountsKept {
		if err := store.Delete(ctx, keys[0]); err != nil {
			return n, fmt.Errorf("ledger: %w", err)
		}
		keys = keys[1:]
	}
	return n + 1, nil
}

func pointsPrefix(at bus.Partition) string {
	return fmt.Sprintf("points/%s/%d/", at.TopicID, at.Partition)
}

// putPoint keeps a point, so that the log may be trimmed, and rows removed, up to it.
func putPoint(ctx context.Context, store objstore.Store, at bus.Partition, p point) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("ledger: render a point: %w", err)
	}
	if err := store.Create(ctx, fmt.Sprintf("%s%020d", pointsPrefix(at), p.Offset), data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// readPoint reads the point at an offset.
func readPoint(ctx context.Context, store objstore.Store, at bus.Partition, offset int64) (point, error) {
	var p point
	key := fmt.Sprintf("%s%020d", pointsPrefix(at), offset)
	data, err := store.Get(ctx, key)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("ledger: read %s: %w", key, err)
	}
	return p, nil
}

// pointOffsets lists the points of a partition, in order.
func pointOffsets(ctx context.Context, store objstore.Store, at bus.Partition) (all []int64, err error) {
	for info, err := range store.List(ctx, pointsPrefix(at)) {
		if err != nil {
			return nil, fmt.Errorf("ledger: list the points of %s: %w", at, err)
		}
		if n, err := strconv.ParseInt(path.Base(info.Key), 10, 64); err == nil {
			all = append(all, n)
		}
	}
	return all, nil
}

func expiredPrefix(store string, at bus.Partition) string {
	return fmt.Sprintf("expired/%s/%s/%d/", store, at.TopicID, at.Partition)
}

// Expired returns the offset below which a store's rows were removed by age, as it was
// noted before; 0 where none were.
func Expired(ctx context.Context, objects objstore.Store, store string, at bus.Partition) (int64, error) {
	var below int64
	for info, err := range objects.List(ctx, expiredPrefix(store, at)) {
		if err != nil {
			return 0, fmt.Errorf("ledger: list what expired of %s: %w", at, err)
		}
		if n, err := strconv.ParseInt(path.Base(info.Key), 10, 64); err == nil {
			below = max(below, n)
		}
	}
	return below, nil
}

// NoteExpired notes that a store's rows below an offset are being removed by age. It comes
// before the first is removed: from then on nobody misses them.
func NoteExpired(ctx context.Context, objects objstore.Store, store string, at bus.Partition, below int64) error {
	err := objects.Create(ctx, fmt.Sprintf("%s%020d", expiredPrefix(store, at), below), nil)
	if err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}
