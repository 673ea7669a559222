package verify

import (
	"slices"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/schemas"
)

// A cell is what is known of one offset of an input.
const (
	hole   = 0 // no record that counts
	open   = 1 // a record without a verdict
	judged = 2 // and above: a verdict, by the kind's place in schemas.StoredKinds
	// former is set where the verdict lies in the stores alone: the topic that it was
	// written to was made anew.
	former = 0x40
	// byReplay is the verdict on a record that has one only by its replay.
	byReplay = 0x7f
	// stored is set where the verdict's row is in every store.
	stored = 0x80
)

// input accounts for one partition of an input topic: which of its records have a
// verdict, and of which that is stored.
type input struct {
	topic     bus.Topic
	partition int32
	kinds     []schemas.Kind
	// from is where the account began: verdicts on what is below are another's.
	from int64
	// base is the offset of cells[0]: all below is accounted for, and counted in done.
	// next is how far the input was read; cells behind it are of verdicts that were read
	// before their records, which counts nothing yet.
	base, next int64
	cells      []uint8
	done       InputAccount
	// times are some offsets' timestamps, in order: how old an offset is.
	times []moment
	last  time.Time // the timestamp of the last record that was read
	// skipped are the records that do not count; those before the account was begun, or
	// taken up again, are before.
	skipped, before int64
	// stands are, by the offset of a replay, the record that it stands for where that has
	// no verdict; replayed counts all replays.
	stands   map[int64]standsFor
	replayed int64
	// waiting counts the records without a verdict.
	waiting int64
	// candidates are places that become points once base is there.
	candidates  []candidate
	points      []point
	differences []string
	doubled     int64
	// lost counts the rows of verdicts of an earlier topic that a store lacks; rebuild
	// names those that can have them again; doubtful says why it is not known whether a
	// record without a verdict had one.
	lost     int64
	rebuild  []string
	doubtful string
}

// InputAccount sums up the records of an input below a place.
type InputAccount struct {
	Records  int64                  `json:"records"`
	Skipped  int64                  `json:"skipped"`
	Outcomes map[schemas.Kind]int64 `json:"outcomes"`
}

func (a InputAccount) clone() InputAccount {
	out := a
	out.Outcomes = map[schemas.Kind]int64{}
	for k, n := range a.Outcomes {
		out.Outcomes[k] = n
	}
	return out
}

// standsFor is a record that another one was written for.
type standsFor struct {
	in     *input
	offset int64
}

// moment is when an offset was written.
type moment struct {
	Offset int64     `json:"offset"`
	At     time.Time `json:"at"`
}

// What lies between two moments that are kept: so many records, or so long.
const (
	momentRecords = 1024
	momentSpan    = time.Second
)

func newInput(topic bus.Topic, partition int32, from int64, done InputAccount) *input {
	return &input{topic: topic, partition: partition, kinds: schemas.StoredKinds(), from: from, base: from, next: from, done: done.clone(), skipped: done.Skipped, before: done.Skipped}
}

// read notes a record.
func (in *input) read(r *bus.Record) {
	at := r.Offset - in.base
	if at < 0 {
		return
	}
	in.reach(at)
	in.next = max(in.next, r.Offset+1)
	if in.cells[at] == hole {
		in.cells[at] = open
		in.waiting++
	}
	in.last = r.Timestamp
	if n := len(in.times); n == 0 || r.Offset-in.times[n-1].Offset >= momentRecords || r.Timestamp.Sub(in.times[n-1].At) >= momentSpan {
		in.times = append(in.times, moment{r.Offset, r.Timestamp})
	}
}

// reach makes cells up to at.
func (in *input) reach(at int64) {
	if more := at + 1 - int64(len(in.cells)); more > 0 {
		in.cells = append(in.cells, make([]uint8, more)...)
	}
}

// maxAhead bounds how far behind its input's read end a verdict may speak: no log grows by
// so much while another is read.
const maxAhead = 1 << 26

// known are the cells of what was read.
func (in *input) known() []uint8 { return in.cells[:min(int64(len(in.cells)), in.next-in.base)] }

// What judge says of a verdict.
type judgement int

const (
	first judgement = iota
	second
	others // of a record that the account does not speak of
)

// judge notes a verdict on the record at an offset.
func (in *input) judge(offset int64, kind schemas.Kind) judgement {
	at := offset - in.base
	switch {
	case offset < in.from || offset > in.next+maxAhead:
		return others
	case at < 0:
		return second
	}
	in.reach(at)
	switch in.cells[at] {
	case hole:
		if offset < in.next {
			return others // it was read, and does not count
		}
		in.cells[at] = judged + uint8(max(0, slices.Index(in.kinds, kind)))
		return first
	case open:
		in.cells[at] = judged + uint8(max(0, slices.Index(in.kinds, kind)))
		in.waiting--
		if of, ok := in.stands[offset]; ok {
			of.in.replace(of.offset)
		}
		return first
	}
	if isFormer(in.cells[at]) { // judged once more: the log's verdict is the one that counts
		in.cells[at] = judged + uint8(max(0, slices.Index(in.kinds, kind)))
		return first
	}
	return second
}

// store notes that the verdict at an offset is in every store.
func (in *input) store(offset int64) {
	if at := offset - in.base; at >= 0 && at < int64(len(in.cells)) && in.cells[at] >= judged {
		in.cells[at] |= stored
	}
	if of, ok := in.stands[offset]; ok {
		delete(in.stands, offset)
		of.in.store(of.offset)
	}
}

// stand notes that the record at an offset was written for another.
func (in *input) stand(offset int64, of *input, original int64) {
	in.replayed++
	if of == nil {
		return
	}
	if at := original - of.base; at >= 0 && at < int64(len(of.cells)) && of.cells[at] == open {
		if in.stands == nil {
			in.stands = map[int64]standsFor{}
		}
		in.stands[offset] = standsFor{of, original}
	}
}

// outcome is the kind of the verdict in a cell; not ok where there is none, or where it
// is another record's.
func (in *input) outcome(c uint8) (kind schemas.Kind, ok bool) {
	if c < judged || c&^stored == byReplay {
		return "", false
	}
	return in.kinds[c&^(stored|former)-judged], true
}

// replace gives a record without a verdict that of its replay.
func (in *input) replace(offset int64) {
	if at := offset - in.base; at >= 0 && at < int64(len(in.cells)) && in.cells[at] == open {
		in.cells[at] = byReplay
		in.waiting--
	}
}

// advance moves base over what is accounted for. It makes a point of each candidate that
// it passes.
func (in *input) advance() {
	n := 0
	for n < len(in.known()) {
		in.pass(in.base + int64(n))
		c := in.cells[n]
		if c != hole && c&stored == 0 {
			break
		}
		if c != hole {
			in.done.Records++
			if kind, ok := in.outcome(c); ok {
				in.done.Outcomes[kind]++
			}
		}
		n++
	}
	in.base += int64(n)
	in.cells = slices.Delete(in.cells, 0, n)
	if len(in.known()) == 0 {
		in.pass(in.base)
	}
	keep := 0
	for keep+1 < len(in.times) && in.times[keep+1].Offset <= in.base {
		keep++
	}
	in.times = slices.Delete(in.times, 0, keep)
}

// pass makes points of the candidates up to an offset, which all below is accounted for.
func (in *input) pass(offset int64) {
	for len(in.candidates) > 0 && in.candidates[0].Offset <= offset {
		c := in.candidates[0]
		done := in.done.clone()
		done.Skipped = c.skipped
		in.points = append(in.points, point{Start: c.Start, Last: c.last, Input: &done})
		in.candidates = in.candidates[1:]
	}
}

// count returns the records, the verdicts and those that are stored.
func (in *input) count() (records, verdicts, settled int64) {
	records, verdicts, settled = in.done.Records, in.done.Records, in.done.Records
	for _, c := range in.known() {
		if c != hole {
			records++
		}
		if c >= judged {
			verdicts++
		}
		if c&stored != 0 {
			settled++
		}
	}
	return records, verdicts, settled
}

// outcomes adds up the verdicts by kind.
func (in *input) outcomes(into map[schemas.Kind]int64) {
	for k, n := range in.done.Outcomes {
		into[k] += n
	}
	for _, c := range in.known() {
		if kind, ok := in.outcome(c); ok {
			into[kind]++
		}
	}
}

// unjudged lists the offsets of records without a verdict.
func (in *input) unjudged() (offsets []int64) {
	for i, c := range in.known() {
		if c == open {
			offsets = append(offsets, in.base+int64(i))
		}
	}
	return offsets
}
