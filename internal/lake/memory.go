package lake

import (
	"slices"
	"sync"

	"github.com/millrace-io/millrace/internal/objstore"
)

// places bounds the places that are remembered of a partition.
const places = 128

// Memory is the store of one who asks for a lake again and again as it grows: it remembers
// where ranges end that were walked over, so that the next walk begins there and costs
// what is new, not what there is. Such a place stays one whatever is compacted.
type Memory struct {
	objstore.Store

	mu    sync.Mutex
	known map[Partition][]int64 // in order, the latest places
}

// Remember gives a store a memory.
func Remember(s objstore.Store) *Memory {
	return &Memory{Store: s, known: map[Partition][]int64{}}
}

// note remembers the end of a range.
func (m *Memory) note(p Partition, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.known[p]
	i, found := slices.BinarySearch(all, end)
	if found {
		return
	}
	all = slices.Insert(all, i, end)
	m.known[p] = all[max(0, len(all)-places):]
}

// place is the last that is remembered between begin and from, both included; else begin.
func (m *Memory) place(p Partition, begin, from int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.known[p]
	i, found := slices.BinarySearch(all, from)
	if found {
		i++
	}
	if i == 0 {
		return begin
	}
	return max(begin, all[i-1])
}
