package classifier

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/kernels"
	"github.com/millrace-io/millrace/trainers"
)

// Train makes a model. It is a function of the configuration, the examples, their order
// and the seed: the number of cores changes nothing but the time. progress may be nil; it
// is told the part that is done, 0 to 1.
func Train(ctx context.Context, cfg Config, examples []trainers.Example, seed int64, progress func(done float64)) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := &trainer{cfg: cfg, seed: uint64(seed)}
	if err := t.prepare(ctx, examples); err != nil {
		return nil, err
	}
	shards := t.shards()
	for epoch := range cfg.Epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var wg sync.WaitGroup
		gate := make(chan struct{}, runtime.GOMAXPROCS(0))
		for i := range shards {
			wg.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				shards[i].epoch(t, epoch, uint64(i))
			})
		}
		wg.Wait()
		t.merge(shards)
		if progress != nil {
			progress(float64(epoch+1) / float64(cfg.Epochs))
		}
	}
	for _, w := range t.model.weight {
		if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) {
			return nil, fmt.Errorf("classifier: the training diverged; lower learning_rate, it is %g", cfg.LearningRate)
		}
	}
	return t.model, nil
}

// trainer holds what a training works on.
type trainer struct {
	cfg     Config
	seed    uint64
	model   *Model
	texts   [][]feature // their hashes replaced by rows
	answers []int32
	weights []float32
	square  []float32 // AdaGrad's accumulator of each row
}

func (t *trainer) prepare(ctx context.Context, examples []trainers.Example) error {
	counts := map[string]float64{}
	var total float64
	for i := range examples {
		if w := examples[i].Weight; !(w > 0) || math.IsInf(float64(w), 0) {
			return &trainers.DataError{Problem: "classifier: " + fmt.Sprintf("example %d has the weight %g", i, w)}
		}
		if examples[i].Label == "" {
			return &trainers.DataError{Problem: "classifier: " + fmt.Sprintf("example %d has no label", i)}
		}
		counts[examples[i].Label] += float64(examples[i].Weight)
		total += float64(examples[i].Weight)
	}
	if len(counts) < 2 {
		return &trainers.DataError{Problem: "classifier: " + fmt.Sprintf("there are %d examples of %d labels; two labels at least are needed", len(examples), len(counts))}
	}
	labels := make([]string, 0, len(counts))
	for l := range counts {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	t.model = newModel(t.cfg, labels)
	t.extract(ctx, examples)
	if err := ctx.Err(); err != nil {
		return err
	}
	t.answers, t.weights = make([]int32, len(examples)), make([]float32, len(examples))
	var sum float64
	for i := range examples {
		at, _ := slices.BinarySearch(labels, examples[i].Label)
		t.answers[i] = int32(at)
		share := counts[examples[i].Label] * float64(len(labels)) / total
		w := float64(examples[i].Weight) * math.Pow(share, -t.cfg.Balance)
		t.weights[i] = float32(w)
		sum += w
	}
	mean := float32(sum / float64(len(examples)))
	for i := range t.weights {
		t.weights[i] /= mean
	}
	// Rows are numbered in the order in which the examples bring them.
	m := t.model
	m.rows = newTable(1 << 12)
	for _, fs := range t.texts {
		for j := range fs {
			fs[j].hash = uint32(m.rows.add(fs[j].hash))
		}
	}
	if m.rows.count == 0 {
		return &trainers.DataError{Problem: "classifier: no example has a word"}
	}
	if bytes := 4 * int64(m.rows.count) * int64(len(labels)); bytes > t.cfg.MaxBytes {
		return &trainers.DataError{Problem: fmt.Sprintf("classifier: %d labels of %d features make a model of %d bytes, at most %d are taken (max_bytes); are the labels free text?", len(labels), m.rows.count, bytes, t.cfg.MaxBytes)}
	}
	m.weight = make([]float32, m.rows.count*len(labels))
	t.square = make([]float32, m.rows.count)
	return nil
}

// extract finds the features of all texts, on all cores.
func (t *trainer) extract(ctx context.Context, examples []trainers.Example) {
	t.texts = make([][]feature, len(examples))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			x := extractor{cfg: t.cfg}
			for i := w; i < len(examples) && ctx.Err() == nil; i += workers {
				t.texts[i] = slices.Clone(x.features(examples[i].Text))
			}
		})
	}
	wg.Wait()
}

// shard is a part of the examples with weights of its own during an epoch.
type shard struct {
	examples []int32
	weight   []float32
	square   []float32
	touched  []int32 // rows of the shard's examples, in order
	scores   []float32
}

// shards deals the examples of each label out in turn, so that every shard sees all.
func (t *trainer) shards() []*shard {
	n := min(t.cfg.Shards, len(t.texts))
	order := make([]int32, len(t.texts))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(t.answers[a], t.answers[b]) })
	out := make([]*shard, n)
	for i := range out {
		out[i] = &shard{scores: make([]float32, len(t.model.labels))}
	}
	for i, e := range order {
		out[i%n].examples = append(out[i%n].examples, e)
	}
	for _, s := range out {
		slices.Sort(s.examples)
		if n == 1 {
			s.weight, s.square = t.model.weight, t.square
			continue
		}
		s.weight, s.square = make([]float32, len(t.model.weight)), make([]float32, len(t.square))
		seen := make([]bool, len(t.square))
		for _, e := range s.examples {
			for _, f := range t.texts[e] {
				if !seen[f.hash] {
					seen[f.hash] = true
					s.touched = append(s.touched, int32(f.hash))
				}
			}
		}
	}
	return out
}

// adaEpsilon keeps the first step of a row finite.
const adaEpsilon = 1e-6

// epoch goes once over the shard's examples in a random order.
func (s *shard) epoch(t *trainer, epoch int, number uint64) {
	labels := len(t.model.labels)
	rng := rand.New(rand.NewPCG(t.seed, number<<32|uint64(epoch)))
	order := slices.Clone(s.examples)
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	total := float64(t.cfg.Epochs * len(order))
	for n, e := range order {
		rate := float32(t.cfg.LearningRate * (1 - float64(epoch*len(order)+n)/total))
		clear(s.scores)
		for _, f := range t.texts[e] {
			kernels.AddScaled(f.value, s.weight[int(f.hash)*labels:][:labels], s.scores)
		}
		kernels.Softmax(s.scores)
		s.scores[t.answers[e]]--
		var norm float32
		for i := range s.scores {
			s.scores[i] *= t.weights[e]
			norm += s.scores[i] * s.scores[i]
		}
		for _, f := range t.texts[e] {
			s.square[f.hash] += norm * f.value * f.value
			step := -rate * f.value / (float32(math.Sqrt(float64(s.square[f.hash]))) + adaEpsilon)
			kernels.AddScaled(step, s.scores, s.weight[int(f.hash)*labels:][:labels])
		}
	}
}

// merge averages what the shards have learned: each row over the shards that have it,
// since the others know nothing of it.
func (t *trainer) merge(shards []*shard) {
	if len(shards) == 1 {
		return
	}
	labels := len(t.model.labels)
	count := make([]float32, len(t.square))
	for _, s := range shards {
		for _, row := range s.touched {
			count[row]++
		}
	}
	clear(t.model.weight)
	before := slices.Clone(t.square)
	for _, s := range shards {
		for _, row := range s.touched {
			kernels.AddScaled(1/count[row], s.weight[int(row)*labels:][:labels], t.model.weight[int(row)*labels:][:labels])
			t.square[row] += s.square[row] - before[row]
		}
	}
	for _, s := range shards {
		copy(s.weight, t.model.weight)
		copy(s.square, t.square)
	}
}
