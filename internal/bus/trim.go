package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// Start is a place where a reader may begin: the offset of the first record that it
// reads, and the marks of one who has read all that was before it. A reader begins at 0
// without marks, or at a place with its marks, and nowhere else: without them it would
// skip what names a record below the place as the one before it.
type Start struct {
	Offset int64 `json:"offset"`
	Marks  Marks `json:"marks,omitempty"`
}

// Trim is where the log of a partition begins: what is below may be gone.
type Trim struct {
	Start
	// Account is what the ledger knew of the records below; the bus does not read it.
	Account json.RawMessage `json:"account,omitempty"`
}

// Mark is the last origin that a reader applied, of one writing step and one partition
// of its input.
type Mark struct {
	Step      string
	TopicID   TopicID
	Partition int32
	Offset    int64
	Index     int32
}

// Marks is a reader's marks in their encoded form.
type Marks []byte

// All decodes m, in no particular order.
func (m Marks) All() ([]Mark, error) {
	all, err := m.decode()
	if err != nil {
		return nil, err
	}
	out := make([]Mark, 0, len(all))
	for k, p := range all {
		out = append(out, Mark{k.step, k.topicID, k.partition, p.offset, p.index})
	}
	return out, nil
}

// A mark is encoded as the length of its key, its key and its place.
const placeBytes = 12

func encodeMarks(all map[markKey]place) Marks {
	var b []byte
	for k, p := range all {
		at := len(b)
		b = append(b, 0)
		b = appendMarkKey(b, k)
		b[at] = byte(len(b) - at - 1)
		b = appendPlace(b, p)
	}
	return b
}

func (m Marks) decode() (map[markKey]place, error) {
	all := map[markKey]place{}
	for b := []byte(m); len(b) > 0; {
		n := int(b[0])
		if len(b) < 1+n+placeBytes {
			return nil, fmt.Errorf("bus: marks of %d bytes end within a mark", len(m))
		}
		k, err := parseMarkKey(b[1 : 1+n])
		if err != nil {
			return nil, err
		}
		if all[k], err = parsePlace(b[1+n : 1+n+placeBytes]); err != nil {
			return nil, err
		}
		b = b[1+n+placeBytes:]
	}
	return all, nil
}

// snapshot encodes what m has admitted so far.
func (m *marks) snapshot() Marks {
	m.settle()
	all := map[markKey]place{}
	for k, p := range m.committed {
		all[k] = p
	}
	for k, p := range m.pending {
		all[k] = p
	}
	return encodeMarks(all)
}

func trimPrefix(at Partition) string {
	return fmt.Sprintf("trims/%s/%d/", at.TopicID, at.Partition)
}

// Trimmed returns where the log of a partition begins; offset 0 where it is whole.
//
// It goes by what was noted before anything was deleted, not by the broker: one that
// died may have forgotten where its log begins.
func (b *Bus) Trimmed(ctx context.Context, at Partition) (Trim, error) {
	var t Trim
	var last string
	for info, err := range b.objects.List(ctx, trimPrefix(at)) {
		if err != nil {
			return t, fmt.Errorf("bus: list the trims of %s: %w", at, err)
		}
		last = info.Key
	}
	if last == "" {
		return t, nil
	}
	data, err := b.objects.Get(ctx, last)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err == nil && strconv.FormatInt(t.Offset, 10) != trimOffset(last) {
		err = fmt.Errorf("it is of offset %d", t.Offset)
	}
	if err != nil {
		return Trim{}, fmt.Errorf("bus: read %s, which says where the log of %s begins: %w", last, at, err)
	}
	return t, nil
}

// trimOffset is the offset in a trim's key, without leading zeros.
func trimOffset(key string) string {
	n, err := strconv.ParseInt(path.Base(key), 10, 64)
	if err != nil {
		return path.Base(key)
	}
	return strconv.FormatInt(n, 10)
}

// Trim deletes the records of a partition below t. First it notes t, so that whoever
// begins from now on begins there; the caller has seen to it that nobody needs what is
// below (see Keeps). It may be repeated: what a crash left undone is done then.
func (b *Bus) Trim(ctx context.Context, at Partition, t Trim) error {
	if at.Topic == ModelEvents {
		return errors.New("bus: model.events is never trimmed: models are folds of all of it")
	}
	if _, err := t.Marks.decode(); err != nil {
		return err
	}
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("bus: render the trim of %s: %w", at, err)
	}
	key := fmt.Sprintf("%s%020d", trimPrefix(at), t.Offset)
	if err := b.objects.Create(ctx, key, data); err != nil && !errors.Is(err, objstore.ErrExists) {
		return fmt.Errorf("bus: note the trim of %s: %w", at, err)
	}
	if err := b.deleteBelow(ctx, at, t.Offset); err != nil {
		return err
	}
	for info, err := range b.objects.List(ctx, trimPrefix(at)) {
		if err != nil {
			return fmt.Errorf("bus: list the trims of %s: %w", at, err)
		}
		if info.Key < key {
			if err := b.objects.Delete(ctx, info.Key); err != nil {
				return fmt.Errorf("bus: %w", err)
			}
		}
	}
	return nil
}

// deleteBelow asks the broker to delete what is below an offset and is still there, but
// for the last record: the embedded broker knows the end of its log by the records that it
// has, and would, with none left, count from 0 again after a crash.
func (b *Bus) deleteBelow(ctx context.Context, at Partition, offset int64) error {
	ends, err := b.Ends(ctx, at.Topic)
	if err != nil {
		return err
	}
	offset = min(offset, ends[at.Partition]-1)
	starts, err := b.Starts(ctx, at.Topic)
	if err != nil || starts[at.Partition] >= offset {
		return err
	}
	var below kadm.Offsets
	below.Add(kadm.Offset{Topic: at.Topic, Partition: at.Partition, At: offset})
	answers, err := kadm.NewClient(b.client).DeleteRecords(ctx, below)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("bus: delete the records of %s below %d: %w", at, offset, err)
	}
	b.log.Info("records were deleted: all below is accounted for", "partition", at.String(), "below", offset)
	return nil
}

// Keeps returns the offset from which on a partition's log must be kept: the oldest
// checkpoint that any of its readers may have to resume from, and which reader that is.
// Readers are names of state, as Stage.StateName says; one without a checkpoint needs all.
func (b *Bus) Keeps(ctx context.Context, at Partition, readers []string) (from int64, reader string, err error) {
	for i, name := range readers {
		oldest, err := state.OldestCheckpoint(ctx, b.objects, name, at.TopicID, at.Partition)
		if err != nil {
			return 0, name, err
		}
		if i == 0 || oldest < from {
			from, reader = oldest, name
		}
	}
	return from, reader, nil
}

// Condense lets readers keep one checkpoint of a partition each, where it is sound: a log
// that must shrink need not wait until all of them are further.
func (b *Bus) Condense(ctx context.Context, at Partition, readers []string) error {
	for _, name := range readers {
		if err := state.Condense(ctx, b.objects, name, at.TopicID, at.Partition); err != nil {
			return err
		}
	}
	return nil
}

// begin puts a stage that knows nothing of a partition at the place where its log begins.
//
// One that has checkpoints of the topic has been here before. Where it stands below the
// log's begin all the same, what it knew is lost, and no place is right for it.
func (b *Bus) begin(ctx context.Context, stage Stage, at Partition, st *state.Partition) error {
	trim, err := b.Trimmed(ctx, at)
	if err != nil || st.Position() >= trim.Offset {
		return err
	}
	known := st.Position() > 0
	if !known {
		if known, err = state.HasCheckpoints(ctx, b.objects, stage.stateName(), at.TopicID); err != nil {
			return err
		}
	}
	if known {
		return fmt.Errorf("bus: stage %s stands at offset %d of %s, and the log begins at %d: restore checkpoints/%s/%s of the object store from a backup; the records between are gone",
			stage.Name, st.Position(), at, trim.Offset, stage.stateName(), at.TopicID)
	}
	all, err := trim.Marks.decode()
	if err != nil {
		return err
	}
	for k, p := range all {
		st.SetMark(appendMarkKey(nil, k), appendPlace(nil, p))
	}
	b.log.Info("a new stage begins where the log does", "stage", stage.stateName(), "partition", at.String(), "offset", trim.Offset)
	return st.Commit(trim.Offset)
}

// outOfRange says what to do where a log has lost what a reader needs.
func outOfRange(err error, at string) error {
	if !errors.Is(err, kerr.OffsetOutOfRange) {
		return err
	}
	return fmt.Errorf("%w: the log of %s has lost records that were not read yet, or ends before what was read: restore it; nothing is skipped", err, at)
}
