package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
)

// ErrDamaged says that a file is gone, cannot be read, or is not what its commit says.
var ErrDamaged = errors.New("the lake is damaged")

// errEmptied says that a file has no rows, and its commit says that it had some.
var errEmptied = fmt.Errorf("%w: a file was emptied", ErrDamaged)

// Read calls each for every row of kind that the lake holds of offsets [from, to) of a
// partition that have not expired, those of a tenant in order. R is the kind's row in
// schemas/parquet, or any struct of some of its columns; offset finds the row's offset in
// it. Damaged files do not keep it from the others; it returns ErrDamaged, with all their
// names, once it has read those.
func Read[R any](ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, kind schemas.Kind, from, to int64, offset func(*R) int64, each func(*R) error) error {
	return read(ctx, s, id, partition, from, to, func(k schemas.Kind) bool { return k == kind },
		rowsAs(offset, func(_ schemas.Kind, r *R) error { return each(r) }))
}

// ReadKinds is Read for all kinds at once: those of a range come one after another.
func ReadKinds[R any](ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from, to int64, offset func(*R) int64, each func(schemas.Kind, *R) error) error {
	return read(ctx, s, id, partition, from, to, schemas.Kind.Stored, rowsAs(offset, each))
}

// ReadEvents is ReadKinds for whole events and the identities of their records, which are
// valid until each returns.
func ReadEvents(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from, to int64, each func(*schemas.Meta, schemas.Message) error) error {
	return read(ctx, s, id, partition, from, to, schemas.Kind.Stored, events(each))
}

// Check calls each for the kind and offset of every row that the lake holds of offsets
// [from, to) of a partition, as ReadKinds does, but reads all that a row has. Of a file of
// which anything cannot be read, or which has rows that are not what its name and its range
// say, it calls each for none.
func Check(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from, to int64, each func(schemas.Kind, int64) error) error {
	return read(ctx, s, id, partition, from, to, schemas.Kind.Stored, whole(each))
}

// ReadFile calls each for every event of a file of a range as it was written. A file that
// was emptied because its range has expired has none; where the range was compacted since,
// it returns ErrCompacted, and has called each for none.
func ReadFile(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit, f File, each func(*schemas.Meta, schemas.Message) error) error {
	err := readFile(ctx, s, f, func(int64) bool { return true }, events(each))
	if !errors.Is(err, errEmptied) {
		return err
	}
	now, expired, lookErr := became(ctx, s, id, partition, c)
	switch {
	case lookErr != nil || expired:
		return lookErr
	case now.End > 0:
		return ErrCompacted
	}
	return err
}

// errUnreadable says that a file's bytes are wrong.
var errUnreadable = errors.New("its rows cannot be read")

// ErrCompacted says that a range was compacted, and its file emptied.
var ErrCompacted = errors.New("the range was compacted")

// reader reads some offsets of a partition.
type reader struct {
	walk
	from, to int64
	wanted   func(schemas.Kind) bool
	rows     rows
	damaged  error
}

func read(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, from, to int64, wanted func(schemas.Kind) bool, rows rows) error {
	w, below, err := begin(ctx, s, id, partition, from)
	if err != nil {
		return err
	}
	r := &reader{walk: w, from: max(from, below), to: to, wanted: wanted, rows: rows}
	for {
		c, ok, err := r.step(ctx)
		if err != nil {
			return err
		}
		if !ok || c.First >= to {
			return r.damaged
		}
		if c.End <= r.from {
			continue
		}
		if err := r.commit(ctx, c); err != nil {
			return err
		}
	}
}

// commit reads the files of a range. Where some were emptied meanwhile, since the range
// was compacted, it reads their rows where they are now, and goes on from there.
func (r *reader) commit(ctx context.Context, c Commit) error {
	var now Commit
	for _, f := range c.Files {
		if !r.wanted(f.Kind) {
			continue
		}
		err := readFile(ctx, r.store, f, r.in(c), r.rows)
		if errors.Is(err, errEmptied) {
			now, err = r.moved(ctx, c, f, now, err)
		}
		if errors.Is(err, ErrDamaged) {
			r.damaged = errors.Join(r.damaged, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	if now.End > r.next { // the rest of what is one range now
		rest := now
		rest.First = c.End
		r.next, r.compacted = now.End, true
		if rest.First < r.to {
			return r.commit(ctx, rest)
		}
	}
	return nil
}

// in says which offsets of a range are read.
func (r *reader) in(c Commit) func(int64) bool {
	from, to := max(r.from, c.First), min(r.to, c.End)
	return func(offset int64) bool { return offset >= from && offset < to }
}

// moved reads the rows of a file that was emptied, and returns the range that they are in
// now, else what was known of it. Where they have expired there are none; where nothing
// explains it, what is wrong stays wrong.
func (r *reader) moved(ctx context.Context, c Commit, f File, known Commit, wrong error) (Commit, error) {
	now, expired, err := became(ctx, r.store, r.id, r.partition, c)
	switch {
	case err != nil || expired:
		return known, err
	case c.compacted || now.End == 0:
		return known, wrong
	}
	for _, g := range now.Files {
		if g.Kind == f.Kind && g.Tenant == f.Tenant && g.Day == f.Day {
			err := readFile(ctx, r.store, g, r.in(c), r.rows)
			if errors.Is(err, errEmptied) { // expired since, or damaged
				return r.moved(ctx, now, g, now, err)
			}
			return now, err
		}
	}
	return now, wrong
}

// became tells what became of a range whose files were emptied: it has expired, or it is
// in the compacted one that is returned, or, where neither is, they are damaged. Both are
// seen by one look: between two, what was compacted may expire.
func became(ctx context.Context, s objstore.Store, id bus.TopicID, partition int32, c Commit) (now Commit, expired bool, err error) {
	w, below, err := begin(ctx, s, id, partition, 0)
	if err != nil || c.End <= below {
		return Commit{}, err == nil, err
	}
	for w.compacted && w.next <= c.First {
		k, ok, err := w.step(ctx)
		if err != nil {
			return Commit{}, false, err
		}
		if ok && k.compacted && k.End >= c.End {
			return k, false, nil
		}
	}
	return Commit{}, false, nil
}

// rows reads the rows of a file of a kind whose offsets are wanted, and returns how many
// it has in all.
type rows func(f File, file *parquet.File, wanted func(offset int64) bool) (int64, error)

// rowsAtOnce bounds the rows that a reader holds.
const rowsAtOnce = 256

// rowsAs reads rows as Rs.
func rowsAs[R any](offset func(*R) int64, each func(schemas.Kind, *R) error) rows {
	return func(f File, file *parquet.File, wanted func(int64) bool) (int64, error) {
		r := parquet.NewGenericReader[R](file)
		defer func() { _ = r.Close() }() // it was only read
		var all int64
		buf := make([]R, rowsAtOnce)
		for {
			clear(buf)
			n, err := r.Read(buf)
			for i := range n {
				if !wanted(offset(&buf[i])) {
					continue
				}
				if err := each(f.Kind, &buf[i]); err != nil {
					return all, err
				}
			}
			all += int64(n)
			if errors.Is(err, io.EOF) {
				return all, nil
			}
			if err != nil {
				return all, fmt.Errorf("%w: %w", errUnreadable, err)
			}
		}
	}
}

// events reads rows as what they were.
func events(each func(*schemas.Meta, schemas.Message) error) rows {
	return func(f File, file *parquet.File, wanted func(int64) bool) (int64, error) {
		r, err := schemaparquet.NewReader(file, f.Kind)
		if err != nil {
			return 0, err
		}
		defer func() { _ = r.Close() }() // it was only read
		for all := int64(0); ; all++ {
			meta, m, err := r.Next()
			if errors.Is(err, io.EOF) {
				return all, nil
			}
			if err != nil {
				return all, fmt.Errorf("%w: %w", errUnreadable, err)
			}
			if !wanted(meta.Offset) {
				continue
			}
			if err := each(meta, m); err != nil {
				return all, err
			}
		}
	}
}

// whole reads all of every row, and calls each once the file has proved sound. It holds
// the offsets of a file.
func whole(each func(schemas.Kind, int64) error) rows {
	return func(f File, file *parquet.File, wanted func(int64) bool) (int64, error) {
		var offsets []int64
		n, err := events(func(meta *schemas.Meta, m schemas.Message) error {
			if env := m.Env(); meta.Offset < f.first || meta.Offset >= f.end || env.Tenant != f.Tenant || env.ArrivedAt.Time().Format(time.DateOnly) != f.Day {
				return fmt.Errorf("%w: it has a row of offset %d, tenant %q and %s", errUnreadable, meta.Offset, env.Tenant, env.ArrivedAt)
			}
			if wanted(meta.Offset) {
				offsets = append(offsets, meta.Offset)
			}
			return nil
		})(f, file, func(int64) bool { return true })
		if err != nil || n != f.Rows {
			return n, err
		}
		for _, offset := range offsets {
			if err := each(f.Kind, offset); err != nil {
				return n, err
			}
		}
		return n, nil
	}
}

// Sound says whether a file of a commit that was read is there, can be read to its last
// byte, and has the rows that its commit says. What cannot be asked is neither sound nor
// damaged.
func Sound(ctx context.Context, s objstore.Store, f File) (bool, error) {
	err := readFile(ctx, s, f, func(int64) bool { return false }, whole(func(schemas.Kind, int64) error { return nil }))
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}

func readFile(ctx context.Context, s objstore.Store, f File, wanted func(int64) bool, rows rows) error {
	obj, err := s.Open(ctx, f.Key)
	if errors.Is(err, objstore.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	file, err := parquet.OpenFile(obj, obj.Size())
	if err != nil {
		return fmt.Errorf("%w: open %s: %w", ErrDamaged, f.Key, err)
	}
	if file.NumRows() == 0 && f.Rows > 0 {
		return fmt.Errorf("%w: %s has no rows, its commit says %d", errEmptied, f.Key, f.Rows)
	}
	n, err := rows(f, file, wanted)
	switch {
	case errors.Is(err, errUnreadable):
		return fmt.Errorf("%w: read %s: %w", ErrDamaged, f.Key, err)
	case errors.Is(err, schemaparquet.ErrNewer):
		return fmt.Errorf("lake: read %s: %w", f.Key, err)
	case err != nil:
		return err // of who was called
	}
	if n != f.Rows {
		return fmt.Errorf("%w: %s has %d rows, its commit says %d: it was changed", ErrDamaged, f.Key, n, f.Rows)
	}
	return nil
}
