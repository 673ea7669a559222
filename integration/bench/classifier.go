package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/classifier"
)

// predictWords is about how many words are predicted on in a turn.
const predictWords = 4_000_000

// wideDim is fastText's own default, told beside the width that Millrace's rows have.
const wideDim = 100

// benchClassifier compares the classifier, as it is by default, with fastText on the
// same lines: the same word n-grams and epochs, rows as wide as Millrace's (a number a
// label), one thread. fastText's learning rate is the best of three on the validation
// part.
func benchClassifier(ctx context.Context, o options) ([]row, error) {
	if _, err := exec.LookPath("fasttext"); err != nil {
		return nil, fmt.Errorf("%w: there is no fasttext (Debian: apt-get install fasttext)", errSkip)
	}
	all, err := corpora(o)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range all {
		r, err := compareClassifiers(ctx, o, c)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

// contest is one corpus, as files.
type contest struct {
	dir   string
	times int // that the test part is predicted on, for the time
}

func (c contest) file(name string) string { return filepath.Join(c.dir, name) }

func compareClassifiers(ctx context.Context, o options, c corpus) ([]row, error) {
	dir, remove, err := scratchDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	k := contest{dir, predictWords/words(c.test) + 1}
	labels := map[string]bool{}
	for i := range c.train {
		labels[c.train[i].label] = true
	}
	for name, part := range map[string][]labelled{"train": c.train, "val": c.val, "test": c.test} {
		if err := writeLines(k.file(name), part, 1, true); err != nil {
			return nil, err
		}
	}
	if err := writeLines(k.file("many"), c.test, k.times, false); err != nil {
		return nil, err
	}
	if err := writeLines(k.file("one"), c.test[:1], 1, false); err != nil {
		return nil, err
	}
	wide, err := chooseRate(ctx, k, wideDim)
	if err != nil {
		return nil, err
	}
	wideAccuracy, err := wide.accuracy(ctx, "test")
	if err != nil {
		return nil, err
	}
	ft, err := chooseRate(ctx, k, len(labels))
	if err != nil {
		return nil, err
	}
	m := &measures{}
	trained := words(c.train) * classifier.DefaultConfig().Epochs
	for round := range o.rounds {
		for side := range 2 {
			if side == round%2 {
				err = m.ours(ctx, o, k, trained)
			} else {
				err = m.theirs(ctx, ft, trained, k.times*len(c.test))
			}
			if err != nil {
				return nil, err
			}
		}
	}
	accuracy, err := ft.accuracy(ctx, "test")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%s: %d labels, %d texts of %d words to train, %d to test; fastText: dim %d, lr %g; dim %d, lr %g\n",
		c.name, len(labels), len(c.train), words(c.train), len(c.test), ft.dim, ft.rate, wide.dim, wide.rate)
	return []row{
		compare(c.name+": training, words a thread-second; peer: fastText's own figure, which leaves reading and saving out", "/s", "", m.train[0], m.train[1]),
		compare(c.name+": from file to saved model, words a CPU-second", "/s", "", m.whole[0], m.whole[1]),
		compare(c.name+": predictions a CPU-second", "/s", "", m.predict[0], m.predict[1]),
		compare(fmt.Sprintf("%s: accuracy; peer: fastText, dim %d", c.name, ft.dim), "%", "-0.5 points", m.accuracy, []float64{100 * accuracy}),
		compare(fmt.Sprintf("%s: accuracy; peer: fastText, dim %d", c.name, wide.dim), "%", "", m.accuracy, []float64{100 * wideAccuracy}),
	}, nil
}

// measures are one figure a round, ours and theirs.
type measures struct {
	train, whole, predict [2][]float64
	accuracy              []float64
}

func (m *measures) ours(ctx context.Context, o options, k contest, trained int) error {
	r, err := turn(ctx, o, "train-millrace", task{Dir: k.dir, Count: trained})
	if err != nil {
		return err
	}
	m.train[0] = append(m.train[0], float64(trained)/r.Part)
	m.whole[0] = append(m.whole[0], r.rate())
	p, err := turn(ctx, o, "predict-millrace", task{Dir: k.dir, Count: k.times})
	if err != nil {
		return err
	}
	m.predict[0] = append(m.predict[0], p.rate())
	m.accuracy = append(m.accuracy, 100*p.Part)
	return nil
}

func (m *measures) theirs(ctx context.Context, ft *fastText, trained, predictions int) error {
	own, cpu, err := ft.train(ctx)
	if err != nil {
		return err
	}
	m.train[1] = append(m.train[1], own)
	m.whole[1] = append(m.whole[1], float64(trained)/cpu)
	many, err := ft.predict(ctx, "many")
	if err != nil {
		return err
	}
	one, err := ft.predict(ctx, "one") // most of it loads the model
	if err != nil {
		return err
	}
	m.predict[1] = append(m.predict[1], float64(predictions)/(many-one))
	return nil
}

// trainMillrace trains from a file to a saved model; Part is the training's CPU time.
func trainMillrace(ctx context.Context, t task) (result, error) {
	watch := startWatch()
	lines, err := readLines(filepath.Join(t.Dir, "train"))
	if err != nil {
		return result{}, err
	}
	examples := make([]trainers.Example, len(lines))
	for i, l := range lines {
		examples[i] = trainers.Example{Text: l.text, Label: l.label, Weight: 1}
	}
	training := startWatch()
	m, err := classifier.Train(ctx, classifier.DefaultConfig(), examples, 1, nil)
	if err != nil {
		return result{}, err
	}
	part := training.stop(0).CPU
	data, err := m.Bytes()
	if err == nil {
		err = os.WriteFile(filepath.Join(t.Dir, "millrace.model"), data, 0o644)
	}
	r := watch.stop(t.Count)
	r.Part = part
	return r, err
}

// predictMillrace predicts on the test part t.Count times over; Part is its accuracy.
func predictMillrace(_ context.Context, t task) (result, error) {
	data, err := os.ReadFile(filepath.Join(t.Dir, "millrace.model"))
	if err != nil {
		return result{}, err
	}
	m, err := classifier.Read(data)
	if err != nil {
		return result{}, err
	}
	lines, err := readLines(filepath.Join(t.Dir, "test"))
	if err != nil {
		return result{}, err
	}
	right := 0
	for _, l := range lines {
		if label, _ := m.Predict(l.text); label == l.label {
			right++
		}
	}
	w := bufio.NewWriter(io.Discard)
	watch := startWatch()
	for range t.Count {
		for i := range lines {
			label, _ := m.Predict(lines[i].text)
			fmt.Fprintln(w, label)
		}
	}
	r := watch.stop(t.Count * len(lines))
	r.Part = float64(right) / float64(len(lines))
	return r, w.Flush()
}

// fastText runs Debian's program.
type fastText struct {
	contest
	dim  int
	rate float64
}

// chooseRate is fastText with the learning rate that is best on val.
func chooseRate(ctx context.Context, k contest, dim int) (*fastText, error) {
	best, top := &fastText{contest: k, dim: dim}, -1.
	for _, rate := range []float64{.1, .5, 1} {
		f := &fastText{contest: k, dim: dim, rate: rate}
		if _, _, err := f.train(ctx); err != nil {
			return nil, err
		}
		a, err := f.accuracy(ctx, "val")
		if err != nil {
			return nil, err
		}
		if a > top {
			best.rate, top = rate, a
		}
	}
	_, _, err := best.train(ctx)
	return best, err
}

// run returns what the program prints and its CPU seconds.
func (f *fastText) run(ctx context.Context, args ...string) ([]byte, float64, error) {
	cmd := exec.CommandContext(ctx, "fasttext", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("fasttext %s: %w: %s", args[0], err, out.Bytes())
	}
	return out.Bytes(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

var threadRate = regexp.MustCompile(`words/sec/thread:\s+(\d+)`)

// train returns fastText's own figure of words a second, and the CPU time of all.
func (f *fastText) train(ctx context.Context) (own, cpu float64, err error) {
	cfg := classifier.DefaultConfig()
	// The default of 2,000,000 rows for word pairs is for texts by the million.
	const bucket = 200_000
	out, cpu, err := f.run(ctx, "supervised", "-input", f.file("train"), "-output", f.file("fasttext"),
		"-dim", strconv.Itoa(f.dim), "-lr", fmt.Sprint(f.rate), "-epoch", strconv.Itoa(cfg.Epochs), "-wordNgrams", strconv.Itoa(cfg.WordNgrams),
		"-bucket", strconv.Itoa(bucket), "-minn", "0", "-maxn", "0", "-loss", "softmax", "-thread", "1")
	if err != nil {
		return 0, 0, err
	}
	all := threadRate.FindAllSubmatch(out, -1)
	if len(all) == 0 {
		return 0, 0, fmt.Errorf("fasttext told no rate: %s", out)
	}
	own, err = strconv.ParseFloat(string(all[len(all)-1][1]), 64)
	return own, cpu, err
}

func (f *fastText) predict(ctx context.Context, name string) (cpu float64, err error) {
	_, cpu, err = f.run(ctx, "predict", f.file("fasttext.bin"), f.file(name))
	return cpu, err
}

func (f *fastText) accuracy(ctx context.Context, name string) (float64, error) {
	// "test" rounds to three digits; the labels themselves do not.
	lines, err := readLines(f.file(name))
	if err != nil {
		return 0, err
	}
	out, _, err := f.run(ctx, "predict", f.file("fasttext.bin"), f.file(name))
	if err != nil {
		return 0, err
	}
	right := 0
	scanner := bufio.NewScanner(bytes.NewReader(out))
	for i := 0; i < len(lines) && scanner.Scan(); i++ {
		if scanner.Text() == labelPrefix+lines[i].label {
			right++
		}
	}
	return float64(right) / float64(len(lines)), scanner.Err()
}
