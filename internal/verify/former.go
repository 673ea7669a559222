package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// formers are verdicts of an earlier topic on the records of an input: each record's cell,
// and, by store, which of them it has.
type formers struct {
	cells []uint8
	in    []bitset
}

// lookBack looks for the verdicts that an earlier topic of a name held. Its log is gone,
// and the stage that wrote it does not write them again, since it goes on from its own
// position; their rows stay where they are stored. It is done once: an earlier topic grows
// no more.
func (a *account) lookBack(ctx context.Context, name string) error {
	if a.looked[name] || a.openOn(name) <= 0 {
		return nil
	}
	earlier, err := a.bus.Earlier(ctx, name)
	if err != nil {
		return err
	}
	if a.looked[name] = true; len(earlier) == 0 {
		return nil
	}
	topic, err := a.bus.Topic(name)
	if err != nil {
		return err
	}
	found := map[*input]*formers{}
	damage := make([]error, len(a.stores))
	expired := make([]bool, len(a.stores))
	for i, s := range a.stores {
		damage[i], err = s.Former(ctx, topic, earlier, a.origins, func(kind schemas.Kind, on bus.Origin) {
			if in := a.inputs[place{on.TopicID, on.Partition}]; in != nil && on.Step == verdictStep && on.Index == 0 && in.isOpen(on.Offset) {
				in.find(found, len(a.stores), i, on.Offset, kind)
			}
		})
		if err == nil {
			expired[i], err = expiredOf(ctx, s, topic, append(earlier, topic.ID))
		}
		if err != nil {
			return fmt.Errorf("verify: %s: %w", s.Name(), err)
		}
	}
	known := false // whether some store has all that there was
	for i := range a.stores {
		known = known || damage[i] == nil && !expired[i]
	}
	for _, at := range a.inOrder {
		in := a.inputs[at]
		if f := found[in]; f != nil {
			for i, s := range a.stores {
				if !expired[i] {
					in.lack(s.Name(), name, f, i, damage[i])
				}
			}
			in.adopt(f)
		}
		if verdictTopic(in.topic.Name) == name && !known {
			in.doubtful = fmt.Sprintf("an earlier %s held verdicts, and no store has all of its rows any more: whether these records had one cannot be known, and --repair leaves them", name)
		}
	}
	return nil
}

// expiredOf says whether a store has removed rows by age of any of a name's topics.
func expiredOf(ctx context.Context, s Store, topic bus.Topic, ids []bus.TopicID) (bool, error) {
	for _, id := range ids {
		for n := range topic.Partitions {
			if below, err := s.Expired(ctx, bus.Partition{Topic: topic.Name, TopicID: id, Partition: n}); err != nil || below > 0 {
				return true, err
			}
		}
	}
	return false, nil
}

// isOpen says whether the record at an offset has no verdict.
func (in *input) isOpen(offset int64) bool {
	at := offset - in.base
	return at >= 0 && at < int64(len(in.known())) && in.cells[at] == open
}

// isFormer says whether the verdict in a cell lies in the stores alone.
func isFormer(c uint8) bool { return c&former != 0 && c&^stored != byReplay }

// find notes that a store has the verdict on an offset.
func (in *input) find(found map[*input]*formers, stores, store int, offset int64, kind schemas.Kind) {
	f := found[in]
	if f == nil {
		f = &formers{cells: make([]uint8, len(in.known())), in: make([]bitset, stores)}
		found[in] = f
	}
	at := offset - in.base
	f.cells[at] = former | (judged + uint8(max(0, slices.Index(in.kinds, kind))))
	f.in[store].set(at)
}

// lack tells of the rows of an earlier topic that one store has, and another has not.
func (in *input) lack(store, topic string, f *formers, i int, damage error) {
	var offsets []int64
	for at, c := range f.cells {
		if c != hole && !f.in[i].has(int64(at)) {
			offsets = append(offsets, in.base+int64(at))
		}
	}
	if len(offsets) == 0 {
		return
	}
	said := fmt.Sprintf("%s lacks the rows of %d verdicts that an earlier %s held, which no log has any more: on offsets %s", store, len(offsets), topic, ranges(offsets))
	if damage != nil {
		said += "; " + strings.ReplaceAll(damage.Error(), "\n", "; ")
	}
	in.differences = append(in.differences, said)
	in.lost += int64(len(offsets))
	in.rebuild = append(in.rebuild, store)
}

// adopt takes verdicts of an earlier topic for those on the records. They count as stored,
// though a store may lack one: there is no log that it could still come from.
func (in *input) adopt(f *formers) {
	for at, c := range f.cells {
		if c == hole || in.cells[at] != open {
			continue
		}
		in.cells[at] = c | stored
		in.waiting--
		offset := in.base + int64(at)
		if of, ok := in.stands[offset]; ok {
			of.in.replace(of.offset)
			in.store(offset)
		}
	}
}

// formers counts the verdicts that lie in the stores alone.
func (in *input) formers() (n int64) {
	for _, c := range in.known() {
		if isFormer(c) {
			n++
		}
	}
	return n
}
