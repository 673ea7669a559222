package main

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// account is the count of the test's own: what stands in one store, against what was
// acknowledged and against the records of the inputs. It knows nothing of Millrace but
// what a reader of its tables is told.
type account struct {
	store string
	// events are, by kind and worker, those that must be there.
	events map[byte][]*set
	// records are, by topic id and partition, those that must have a verdict.
	records map[string]*set
	// rejects says that a text may be rejected in place of being clean; rejected are those
	// that were, by worker.
	rejects  bool
	rejected []*set

	expected                      int // records of the inputs
	rows, verdicts, doubled, torn int
	differences                   []string
}

// set tells which of the numbers from 0 to n-1 were seen.
type set struct {
	n    int
	seen []uint64
}

func newSet(n int) *set { return &set{n: n, seen: make([]uint64, (n+63)/64)} }

// add says whether i is one of the numbers, and whether it was seen before.
func (s *set) add(i int) (known, again bool) {
	if i < 0 || i >= s.n {
		return false, false
	}
	bit := uint64(1) << (i % 64)
	again = s.seen[i/64]&bit != 0
	s.seen[i/64] |= bit
	return true, again
}

// missing counts the numbers that were not seen, and returns the first.
func (s *set) missing() (count, first int) {
	count, first = s.n, -1
	for i, word := range s.seen {
		count -= bits.OnesCount64(word)
		if first < 0 && word != ^uint64(0) {
			if at := i*64 + bits.TrailingZeros64(^word); at < s.n {
				first = at
			}
		}
	}
	return count, first
}

// newAccount expects the events of a ledger, or none of it where l is nil, and a verdict
// on every record up to the ends.
func newAccount(store string, l *ledger, ends map[string]int64, rejects bool) *account {
	a := &account{store: store, events: map[byte][]*set{}, records: map[string]*set{}, rejects: rejects}
	if l != nil {
		for w := range l.next {
			for _, kind := range []byte("tifx") {
				a.events[kind] = append(a.events[kind], newSet(l.of(w)))
			}
			a.rejected = append(a.rejected, newSet(l.of(w)))
		}
	}
	for partition, end := range ends {
		a.records[partition] = newSet(int(end))
		a.expected += int(end)
	}
	return a
}

// row is what either store tells of a row.
type storedRow struct {
	table, id, content string
	// step wrote the row, of the record at origin: topic id, partition, offset, index.
	step                 string
	topicID              string
	partition, at, index int64
}

func (a *account) differ(format string, args ...any) {
	const enough = 10
	if len(a.differences) < enough {
		a.differences = append(a.differences, a.store+": "+fmt.Sprintf(format, args...))
	}
}

// add takes a row in.
func (a *account) add(r *storedRow) {
	if r.step == "clean" {
		a.verdict(r)
	}
	kind, worker, n, ok := parseID(r.id)
	if !ok || a.events['t'] == nil {
		return // no event of the crowd's
	}
	switch {
	case r.table == "duplicates":
		return // a post that was repeated; its record is accounted for above
	case r.table == "dead_letters", r.table == "rejected" && (!a.rejects || kind != 't'):
		a.torn++
		a.differ("%s is in %s: %s", r.id, r.table, r.content)
		return
	}
	if worker >= len(a.events[kind]) {
		a.torn++
		a.differ("%s has %s, of a worker that there is not", r.table, r.id)
		return
	}
	known, again := a.events[kind][worker].add(n)
	switch {
	case !known:
		a.torn++
		a.differ("%s has %s, which nobody was told was taken", r.table, r.id)
	case again:
		a.doubled++
		a.differ("%s has %s, which is there already", r.table, r.id)
	case r.table != "rejected" && r.content != content(kind, worker, n):
		a.torn++
		a.differ("%s of %s is %q, want %q", r.id, r.table, r.content, content(kind, worker, n))
	default:
		a.rows++
		if r.table == "rejected" {
			a.rejected[worker].add(n)
		}
	}
}

// disagree counts the texts that have one verdict here and another there.
func (a *account) disagree(b *account) int {
	n := 0
	for w, s := range a.rejected {
		for i, word := range s.seen {
			n += bits.OnesCount64(word ^ b.rejected[w].seen[i])
		}
	}
	return n
}

func (a *account) verdict(r *storedRow) {
	partition := fmt.Sprintf("%s/%d", r.topicID, r.partition)
	s := a.records[partition]
	if s == nil {
		a.torn++
		a.differ("%s has a verdict on %s, which is no partition of an input", r.table, partition)
		return
	}
	known, again := s.add(int(r.at))
	switch {
	case !known:
		a.torn++
		a.differ("%s has a verdict on %s offset %d, which is beyond its end", r.table, partition, r.at)
	case again:
		a.doubled++
		a.differ("%s has a second verdict on %s offset %d (%s)", r.table, partition, r.at, r.id)
	default:
		a.verdicts++
	}
}

// lost counts what is missing, and names the first of each.
func (a *account) lost() int {
	lost := 0
	for kind, sets := range a.events {
		for w, s := range sets {
			if n, first := s.missing(); n > 0 {
				lost += n
				a.differ("%d events are missing, the first is %s", n, eventID(kind, w, first))
			}
		}
	}
	for partition, s := range a.records {
		if n, first := s.missing(); n > 0 {
			lost += n
			a.differ("%d records of %s have no verdict, the first at offset %d", n, partition, first)
		}
	}
	return lost
}

// parseID reads an id of the crowd's.
func parseID(id string) (kind byte, worker, n int, ok bool) {
	f := strings.Split(id, "-")
	if len(f) != 3 || len(f[0]) != 1 || strings.IndexByte("tifx", f[0][0]) < 0 {
		return 0, 0, 0, false
	}
	worker, err := strconv.Atoi(f[1])
	if err != nil || worker < 0 {
		return 0, 0, 0, false
	}
	n, err = strconv.Atoi(f[2])
	return f[0][0], worker, n, err == nil
}
