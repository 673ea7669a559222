package dataset

import "container/heap"

// sampler says which texts of a period are held: those with the first hashes, as many as
// the bound says. What it has once refused it never takes later, since the hashes before
// it only become more, so that no text need be held that is left out in the end.
type sampler struct {
	most int
	held map[string]bool
	last hashes // of those held, the last one on top
}

func newSampler(most int) *sampler { return &sampler{most: most, held: map[string]bool{}} }

// admit takes a hash, or not; out is the one that it takes the place of, "" where none.
func (s *sampler) admit(hash string) (in bool, out string) {
	switch {
	case s.held[hash]:
		return true, ""
	case len(s.last) < s.most:
	case hash > s.last[0]:
		return false, ""
	default:
		out = heap.Pop(&s.last).(string)
		delete(s.held, out)
	}
	s.held[hash] = true
	heap.Push(&s.last, hash)
	return true, out
}

// hashes is a heap with the last hash on top.
type hashes []string

// Len implements heap.Interface.
func (h hashes) Len() int { return len(h) }

// Less implements heap.Interface.
func (h hashes) Less(i, j int) bool { return h[i] > h[j] }

// Swap implements heap.Interface.
func (h hashes) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *hashes) Push(x any) { *h = append(*h, x.(string)) }

// Pop implements heap.Interface.
func (h *hashes) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
