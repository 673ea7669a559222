package classifier

import (
	"sync"

	"github.com/millrace-io/millrace/kernels"
)

// Model is a trained classifier. It is read only: any number of goroutines may ask it.
type Model struct {
	cfg    Config
	labels []string  // sorted
	rows   table     // of feature hashes
	weight []float32 // rows × labels
	pool   sync.Pool // of *scratch
}

type scratch struct {
	extractor extractor
	scores    []float32
}

func newModel(cfg Config, labels []string) *Model {
	m := &Model{cfg: cfg, labels: labels}
	m.pool.New = func() any {
		return &scratch{extractor: extractor{cfg: cfg}, scores: make([]float32, len(labels))}
	}
	return m
}

// Labels are those that it knows, sorted.
func (m *Model) Labels() []string { return m.labels }

// Predict returns the likeliest label and its probability; of labels that are equally
// likely, the first by name.
func (m *Model) Predict(text string) (label string, probability float64) {
	s := m.pool.Get().(*scratch)
	defer m.pool.Put(s)
	m.probabilities(s, text)
	best := 0
	for i, p := range s.scores {
		if p > s.scores[best] {
			best = i
		}
	}
	return m.labels[best], float64(s.scores[best])
}

// Probabilities appends the probability of each of Labels to out.
func (m *Model) Probabilities(text string, out []float64) []float64 {
	s := m.pool.Get().(*scratch)
	defer m.pool.Put(s)
	m.probabilities(s, text)
	for _, p := range s.scores {
		out = append(out, float64(p))
	}
	return out
}

func (m *Model) probabilities(s *scratch, text string) {
	clear(s.scores)
	n := len(m.labels)
	for _, f := range s.extractor.features(text) {
		if row, ok := m.rows.find(f.hash); ok {
			kernels.AddScaled(f.value, m.weight[row*n:][:n], s.scores)
		}
	}
	kernels.Softmax(s.scores)
}

// table numbers feature hashes: open addressing with linear probing over a power of two.
type table struct {
	keys  []uint32
	rows  []int32 // -1 where the slot is empty
	count int
}

func newTable(capacity int) table {
	size := 16
	for size < 2*capacity {
		size *= 2
	}
	t := table{keys: make([]uint32, size), rows: make([]int32, size)}
	for i := range t.rows {
		t.rows[i] = -1
	}
	return t
}

func (t *table) slot(hash uint32) int {
	mask := len(t.keys) - 1
	i := int(hash*2654435769>>7) & mask
	for t.rows[i] >= 0 && t.keys[i] != hash {
		i = (i + 1) & mask
	}
	return i
}

func (t *table) find(hash uint32) (row int, ok bool) {
	i := t.slot(hash)
	return int(t.rows[i]), t.rows[i] >= 0
}

// add numbers a hash, the next number where it is new.
func (t *table) add(hash uint32) int {
	if 2*t.count >= len(t.keys) {
		bigger := newTable(len(t.keys))
		for i, row := range t.rows {
			if row >= 0 {
				at := bigger.slot(t.keys[i])
				bigger.keys[at], bigger.rows[at] = t.keys[i], row
			}
		}
		bigger.count = t.count
		*t = bigger
	}
	i := t.slot(hash)
	if t.rows[i] < 0 {
		t.keys[i], t.rows[i] = hash, int32(t.count)
		t.count++
	}
	return int(t.rows[i])
}
