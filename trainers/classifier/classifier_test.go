package classifier

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/trainers"
)

// topics makes texts of words that belong to a label, among words that belong to none.
func topics(n int, labels []string, seed uint64) []trainers.Example {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]trainers.Example, n)
	for i := range out {
		l := labels[rng.IntN(len(labels))]
		var b strings.Builder
		for range 20 {
			if rng.IntN(4) == 0 {
				fmt.Fprintf(&b, "%s%d ", l, rng.IntN(30))
			} else {
				fmt.Fprintf(&b, "word%d ", rng.IntN(2000))
			}
		}
		out[i] = trainers.Example{Text: b.String(), Label: l, Weight: 1}
	}
	return out
}

func accuracy(m *Model, test []trainers.Example) float64 {
	right := 0
	for _, e := range test {
		if l, _ := m.Predict(e.Text); l == e.Label {
			right++
		}
	}
	return float64(right) / float64(len(test))
}

func train(t testing.TB, cfg Config, examples []trainers.Example) *Model {
	t.Helper()
	m, err := Train(context.Background(), cfg, examples, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLearns(t *testing.T) {
	labels := []string{"a", "b", "c"}
	m := train(t, DefaultConfig(), topics(600, labels, 1))
	if got := accuracy(m, topics(500, labels, 2)); got < .97 {
		t.Fatalf("accuracy %.3f, want .97 at least", got)
	}
	if p := m.Probabilities("a1 a2 a3", nil); len(p) != 3 || p[0] < .5 || p[0]+p[1]+p[2] < .999 {
		t.Fatalf("probabilities %v", p)
	}
	if l, p := m.Predict(""); l == "" || p <= 0 {
		t.Fatalf("an empty text gave %q, %g", l, p)
	}
}

// TestDeterministic checks that the bytes do not depend on the number of cores, and that
// the seed does count.
func TestDeterministic(t *testing.T) {
	examples := topics(300, []string{"x", "y"}, 3)
	cfg := DefaultConfig()
	var first []byte
	for _, procs := range []int{1, 2, 4} {
		old := runtime.GOMAXPROCS(procs)
		b, err := train(t, cfg, examples).Bytes()
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Fatalf("%d cores make another model than one", procs)
		}
	}
	other, err := Train(context.Background(), cfg, examples, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := other.Bytes(); bytes.Equal(first, b) {
		t.Fatal("another seed makes the same model")
	}
}

func TestArtefact(t *testing.T) {
	test := topics(200, []string{"a", "b", "c"}, 2)
	m := train(t, DefaultConfig(), topics(200, []string{"a", "b", "c"}, 1))
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range test {
		l1, p1 := m.Predict(e.Text)
		l2, p2 := back.Predict(e.Text)
		if l1 != l2 || p1 != p2 {
			t.Fatalf("%q: %s %g before, %s %g after", e.Text, l1, p1, l2, p2)
		}
	}
	for i := 0; i < len(data); i += 1 + len(data)/50 {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if _, err := Read(bad); !errors.Is(err, ErrFormat) {
			t.Fatalf("a flipped bit at %d gave %v", i, err)
		}
		if _, err := Read(data[:i]); !errors.Is(err, ErrFormat) {
			t.Fatalf("%d bytes of it gave %v", i, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	b, err := train(f, DefaultConfig(), []trainers.Example{{Text: "a b", Label: "x", Weight: 1}, {Text: "c d", Label: "y", Weight: 1}}).Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Read(b); err == nil {
			m.Predict("a b c")
		}
	})
}

func TestBadExamples(t *testing.T) {
	for name, c := range map[string][]trainers.Example{
		"none":      nil,
		"one label": {{Text: "a", Label: "x", Weight: 1}, {Text: "b", Label: "x", Weight: 1}},
		"no label":  {{Text: "a", Label: "", Weight: 1}, {Text: "b", Label: "x", Weight: 1}},
		"no words":  {{Text: " ", Label: "x", Weight: 1}, {Text: "\n", Label: "y", Weight: 1}},
		"weight":    {{Text: "a", Label: "x", Weight: 0}, {Text: "b", Label: "y", Weight: 1}},
	} {
		var e *trainers.DataError
		if _, err := Train(context.Background(), DefaultConfig(), c, 1, nil); !errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	cfg := DefaultConfig()
	cfg.Epochs = 0
	if _, err := Train(context.Background(), cfg, topics(10, []string{"a", "b"}, 1), 1, nil); err == nil {
		t.Error("no epochs were taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Train(ctx, DefaultConfig(), topics(10, []string{"a", "b"}, 1), 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled training gave %v", err)
	}
}

// TestFewLabels checks that a new label is learned from a handful among thousands.
func TestFewLabels(t *testing.T) {
	examples := append(topics(2000, []string{"a", "b"}, 1), topics(60, []string{"new"}, 2)...)
	m := train(t, DefaultConfig(), examples)
	if got := accuracy(m, topics(300, []string{"a", "b", "new"}, 3)); got < .88 {
		t.Fatalf("accuracy %.3f with 60 examples of a new label, want .88 at least", got)
	}
}

// TestClinc holds the classifier against 150 intents of short questions.
func TestClinc(t *testing.T) {
	f, err := os.Open("../../../shared/data/clinc150_full.json.gz")
	if err != nil {
		t.Skip("the questions are not here: ../shared/data/clinc150_full.json.gz")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][][2]string
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	part := func(name string) (out []trainers.Example) {
		for _, e := range all[name] {
			out = append(out, trainers.Example{Text: e[0], Label: e[1], Weight: 1})
		}
		return out
	}
	m := train(t, DefaultConfig(), part("train"))
	got := accuracy(m, part("test"))
	t.Logf("accuracy %.4f", got)
	if got < .88 {
		t.Fatalf("accuracy %.4f, want .88 at least", got)
	}
}

func BenchmarkTrain(b *testing.B) {
	examples := topics(2000, []string{"a", "b", "c"}, 1)
	for b.Loop() {
		train(b, DefaultConfig(), examples)
	}
	b.ReportMetric(float64(20*len(examples)*DefaultConfig().Epochs*b.N)/b.Elapsed().Seconds(), "words/s")
}

func BenchmarkPredict(b *testing.B) {
	examples := topics(2000, []string{"a", "b", "c"}, 1)
	m := train(b, DefaultConfig(), examples)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Predict(examples[i%len(examples)].Text)
		i++
	}
}

// TestFreeText checks that labels without number are refused before they take the memory.
func TestFreeText(t *testing.T) {
	var labels []string
	for i := range 500 {
		labels = append(labels, fmt.Sprint("label", i))
	}
	cfg := DefaultConfig()
	cfg.MaxBytes = 1 << 20
	_, err := Train(t.Context(), cfg, topics(1000, labels, 1), 1, nil)
	var fault *trainers.DataError
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), "max_bytes") {
		t.Errorf("500 labels in a megabyte: %v", err)
	}
}
