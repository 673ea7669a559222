package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/internal/objstore"
)

// checkpointsKept is how many checkpoints of a partition stay: one may prove
// unreadable, and a zombie's older one may be the last that was written.
const checkpointsKept = 3

// maxEntryBytes bounds a key or value in a checkpoint, against a damaged length.
const maxEntryBytes = 64 << 20

// restoreBytes bounds what a restore holds before it commits it.
const restoreBytes = 4 << 20

const checkpointMagic = "mrckpt1\n"

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func (p *Partition) checkpointPrefix() string {
	return fmt.Sprintf("checkpoints/%s/%x/%d/", p.stage, p.topicID, p.id)
}

// Checkpoint puts the committed state, marks and position into the object store as one
// object named by the position, and removes all but the furthest three. Two members may
// write the same position: either object will do, since the state at a position is a
// function of the log up to it.
func (p *Partition) Checkpoint(ctx context.Context, store objstore.Store) error {
	snapshot := p.store.NewSnapshot()
	defer snapshot.Close()
	key := fmt.Sprintf("%s%020d", p.checkpointPrefix(), p.position)
	err := store.CreateFunc(ctx, key, func(w io.Writer) error { return p.writeCheckpoint(w, snapshot) })
	if err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("state: checkpoint %s: %w", key, err)
	}
	kept, err := p.checkpoints(ctx, store)
	if err != nil {
		return err
	}
	for len(kept) > checkpointsKept {
		if err := store.Delete(ctx, kept[0]); err != nil {
			return fmt.Errorf("state: delete checkpoint %s: %w", kept[0], err)
		}
		kept = kept[1:]
	}
	p.saved = p.position
	return nil
}

// Checkpointed is the position of the furthest checkpoint that Restore found, or that was
// made since; 0 where there is none.
func (p *Partition) Checkpointed() int64 { return p.saved }

func (p *Partition) checkpoints(ctx context.Context, store objstore.Store) ([]string, error) {
	var keys []string
	for info, err := range store.List(ctx, p.checkpointPrefix()) {
		if err != nil {
			return nil, fmt.Errorf("state: list checkpoints of %s: %w", p, err)
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

// OldestCheckpoint returns the position of the oldest checkpoint that is kept of a stage
// and partition, which it may have to resume from where the newer ones prove unreadable; 0
// where there is none.
func OldestCheckpoint(ctx context.Context, store objstore.Store, stage string, topicID [16]byte, partition int32) (int64, error) {
	p := &Partition{stage: stage, topicID: topicID, id: partition}
	keys, err := p.checkpoints(ctx, store)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	position, _ := positionOf(keys[0])
	return position, nil
}

// Condense removes all checkpoints of a stage and partition but the furthest, once that
// has been read to its end: what lies between them need not be kept any more. Where it
// cannot be read they all stay.
func Condense(ctx context.Context, store objstore.Store, stage string, topicID [16]byte, partition int32) error {
	p := &Partition{stage: stage, topicID: topicID, id: partition}
	keys, err := p.checkpoints(ctx, store)
	if err != nil || len(keys) < 2 {
		return err
	}
	last := keys[len(keys)-1]
	position, ok := positionOf(last)
	if !ok {
		return nil
	}
	if err := p.check(ctx, store, last, position); err != nil {
		return fmt.Errorf("state: check checkpoint %s: %w", last, err)
	}
	for _, key := range keys[:len(keys)-1] {
		if err := store.Delete(ctx, key); err != nil {
			return fmt.Errorf("state: delete checkpoint %s: %w", key, err)
		}
	}
	return nil
}

// HasCheckpoints says whether a stage has put a checkpoint of any partition of a topic.
func HasCheckpoints(ctx context.Context, store objstore.Store, stage string, topicID [16]byte) (bool, error) {
	for _, err := range store.List(ctx, fmt.Sprintf("checkpoints/%s/%x/", stage, topicID)) {
		return err == nil, err
	}
	return false, nil
}

func (p *Partition) writeCheckpoint(w io.Writer, snapshot *pebble.Snapshot) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	sum := crc32.New(crcTable)
	out := bufio.NewWriterSize(io.MultiWriter(z, sum), 64<<10)
	if _, err := out.WriteString(checkpointMagic); err != nil {
		return err
	}
	it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: p.prefix, UpperBound: successor(p.prefix)})
	if err != nil {
		return err
	}
	var head []byte
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()[len(p.prefix):]
		head = binary.AppendUvarint(head[:0], uint64(len(key)))
		head = append(head, key...)
		head = binary.AppendUvarint(head, uint64(len(it.Value())))
		if _, err := out.Write(head); err != nil {
			return errors.Join(err, it.Close())
		}
		if _, err := out.Write(it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return p.seen(err)
	}
	// A key of no bytes ends the entries; the sum of all before it follows.
	if err := out.WriteByte(0); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if _, err := z.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return err
	}
	return z.Close()
}

// Restore replaces the local state by the furthest readable checkpoint that is ahead of
// it, and says whether it did. Unreadable ones are returned as errors that the caller
// reports; an older one, or the local state, then serves. After an error the partition
// must be closed.
func (p *Partition) Restore(ctx context.Context, store objstore.Store) (restored bool, damaged []error, err error) {
	keys, err := p.checkpoints(ctx, store)
	if err != nil {
		return false, nil, err
	}
	for i := len(keys) - 1; i >= 0; i-- {
		position, ok := positionOf(keys[i])
		if ok {
			p.saved = position
		}
		if !ok || position <= p.position {
			break // no checkpoint, or none that is ahead, and so are all before it
		}
		if err := p.check(ctx, store, keys[i], position); err != nil {
			p.saved = 0
			damaged = append(damaged, fmt.Errorf("state: check checkpoint %s: %w", keys[i], err))
			continue
		}
		if err := p.load(ctx, store, keys[i]); err != nil {
			return false, damaged, fmt.Errorf("state: load checkpoint %s: %w", keys[i], err)
		}
		return true, damaged, nil
	}
	return false, damaged, nil
}

// positionOf reads the position out of a checkpoint's key.
func positionOf(key string) (position int64, ok bool) {
	position, err := strconv.ParseInt(key[strings.LastIndexByte(key, '/')+1:], 10, 64)
	return position, err == nil
}

// check reads a checkpoint to its end and changes nothing.
func (p *Partition) check(ctx context.Context, store objstore.Store, key string, position int64) error {
	var at []byte
	if err := openCheckpoint(ctx, store, key, func(k, v []byte) error {
		if k[0] == spacePosition {
			at = v
		}
		return nil
	}); err != nil {
		return err
	}
	if want := binary.BigEndian.AppendUint64(nil, uint64(position)); !bytes.Equal(at, want) {
		return fmt.Errorf("its position is %x, want %x", at, want)
	}
	return nil
}

// load replaces the local state by a checkpoint that was checked.
//
// A state may be larger than the memory, so it is written in pieces, which are not one
// change any more. A key that is there meanwhile says so: it is set with the removal of
// what was, and goes with the position, which comes last. The store's log keeps commits
// in order, so that after a crash either the key is there, and the partition is opened
// empty, or the state is whole.
func (p *Partition) load(ctx context.Context, store objstore.Store, key string) error {
	r := restore{p: p, batch: p.store.NewBatch()}
	defer r.batch.Close()
	restoring := append(bytes.Clone(p.prefix), spaceRestoring)
	err := errors.Join(r.batch.DeleteRange(p.prefix, successor(p.prefix), nil), r.batch.Set(restoring, []byte(key), nil))
	if err == nil {
		err = r.commit()
	}
	if err != nil {
		return err
	}
	if err := openCheckpoint(ctx, store, key, r.set); err != nil {
		return err
	}
	err = errors.Join(r.batch.Set(append(bytes.Clone(p.prefix), spacePosition), r.position, nil), r.batch.Delete(restoring, nil))
	if err == nil {
		err = r.commit()
	}
	if err != nil {
		return err
	}
	return p.reload()
}

// dropTorn empties a partition whose restore did not come to its end.
func (p *Partition) dropTorn() error {
	_, torn, err := p.get(spaceRestoring, nil)
	if err != nil || !torn {
		return err
	}
	if err := p.store.DeleteRange(p.prefix, successor(p.prefix), pebble.NoSync); err != nil {
		return fmt.Errorf("state: empty %s, whose restore was cut short: %w", p, err)
	}
	return p.reload()
}

// restore writes the entries of a checkpoint, and keeps back the position.
type restore struct {
	p        *Partition
	batch    *pebble.Batch
	position []byte
}

func (r *restore) set(key, value []byte) error {
	if key[0] == spacePosition {
		r.position = value
		return nil
	}
	if err := r.batch.Set(append(bytes.Clone(r.p.prefix), key...), value, nil); err != nil {
		return err
	}
	if r.batch.Len() < restoreBytes {
		return nil
	}
	return r.commit()
}

func (r *restore) commit() error {
	if err := r.p.db.room(); err != nil {
		return err
	}
	if err := r.batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	r.batch.Reset()
	return nil
}

// openCheckpoint calls entry for each key and value of a checkpoint, as readCheckpoint.
func openCheckpoint(ctx context.Context, store objstore.Store, key string, entry func(k, v []byte) error) error {
	obj, err := store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer obj.Close()
	z, err := zstd.NewReader(io.NewSectionReader(obj, 0, obj.Size()), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	return readCheckpoint(bufio.NewReaderSize(z, 64<<10), entry)
}

// readCheckpoint calls entry for each key and value; nothing it was called with counts
// unless nil is returned.
func readCheckpoint(r *bufio.Reader, entry func(k, v []byte) error) error {
	sum := crc32.New(crcTable)
	in := &summingReader{r: r, sum: sum.Write}
	magic := make([]byte, len(checkpointMagic))
	if _, err := io.ReadFull(in, magic); err != nil {
		return err
	}
	if string(magic) != checkpointMagic {
		return fmt.Errorf("begins with %q, want %q", magic, checkpointMagic)
	}
	for {
		key, err := in.entry()
		if err != nil {
			return err
		}
		if len(key) == 0 {
			break
		}
		value, err := in.entry()
		if err != nil {
			return err
		}
		if err := entry(key, value); err != nil {
			return err
		}
	}
	want := sum.Sum32()
	var got [4]byte
	if _, err := io.ReadFull(r, got[:]); err != nil {
		return err
	}
	if g := binary.BigEndian.Uint32(got[:]); g != want {
		return fmt.Errorf("checksum is %08x, want %08x", g, want)
	}
	return nil
}

// summingReader sums every byte that it hands out.
type summingReader struct {
	r   *bufio.Reader
	sum func([]byte) (int, error)
}

func (s *summingReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	_, _ = s.sum(b[:n]) // a hash never fails
	return n, err
}

func (s *summingReader) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		_, _ = s.sum([]byte{b})
	}
	return b, err
}

func (s *summingReader) entry() ([]byte, error) {
	n, err := binary.ReadUvarint(s)
	if err != nil {
		return nil, err
	}
	if n > maxEntryBytes {
		return nil, fmt.Errorf("an entry of %d bytes is above the bound of %d", n, maxEntryBytes)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(s, b)
	return b, err
}
