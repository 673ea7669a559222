package drift

import (
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
)

// TestQuick checks that a sharp drop is seen within a few observations, also after few.
func TestQuick(t *testing.T) {
	for _, before := range []int{100, 2000, 50_000} {
		var worst, sum, n int
		for seed := range 50 {
			rng := rand.New(rand.NewPCG(uint64(seed), 7))
			g := GLR{Delta: .01}
			for i := range before {
				if _, alarm := g.Observe(int64(i), rng.Float64() < .03); alarm {
					t.Fatalf("a false alarm after %d stationary observations", i)
				}
			}
			for i := 1; ; i++ {
				c, alarm := g.Observe(int64(before+i-1), rng.Float64() < .55)
				if i > 200 {
					t.Fatalf("no alarm in %d observations after a change behind %d", i, before)
				}
				if alarm {
					worst, sum, n = max(worst, i), sum+i, n+1
					if c.From < int64(before)-int64(before)/10-5 || c.From > int64(before)+20 {
						t.Errorf("the change at %d is dated to %d", before, c.From)
					}
					break
				}
			}
		}
		t.Logf("after %d: mean delay %.1f, worst %d", before, float64(sum)/float64(n), worst)
		if worst > 45 || sum > 22*n {
			t.Errorf("after %d: mean delay %.1f, worst %d; want 22 and 45 at most", before, float64(sum)/float64(n), worst)
		}
	}
}

// TestStationary checks the promise on false alarms: at most Delta a stream.
func TestStationary(t *testing.T) {
	alarms := 0
	const streams = 40
	for seed := range streams {
		rng := rand.New(rand.NewPCG(uint64(seed), 11))
		p := []float64{.03, .1, .2, .3}[seed%4]
		g := GLR{Delta: .01}
		for i := range 20_000 {
			if _, alarm := g.Observe(int64(i), rng.Float64() < p); alarm {
				alarms++
				break
			}
		}
		if len(g.points) > 1200 {
			t.Fatalf("%d points are kept of 20,000", len(g.points))
		}
	}
	if alarms > 1 {
		t.Fatalf("%d false alarms in %d streams, want at most 1", alarms, streams)
	}
}

// TestState checks that a detector goes on from its state as if nothing had been.
func TestState(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	a := GLR{Delta: .01}
	for i := range 5000 {
		x := rng.Float64() < .1
		if i > 4800 {
			x = rng.Float64() < .4
		}
		b := GLR{Delta: .01}
		if rest, err := b.LoadState(a.AppendState(nil)); err != nil || len(rest) != 0 {
			t.Fatal(err)
		}
		ca, aa := a.Observe(int64(i), x)
		cb, ab := b.Observe(int64(i), x)
		if aa != ab || ca != cb || !reflect.DeepEqual(a.points, b.points) {
			t.Fatalf("at %d the restored detector differs: %v %v", i, ca, cb)
		}
		if aa {
			return
		}
	}
	t.Fatal("no alarm")
}

func FuzzLoadState(f *testing.F) {
	g := GLR{Delta: .1}
	g.Observe(1, true)
	f.Add(g.AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var g GLR
		_, _ = g.LoadState(b) // it must not panic
	})
}

// TestStreams replays the drift benchmark's error streams by its stricter rule: a drift's
// first true alarm is true, every other alarm is false.
func TestStreams(t *testing.T) {
	for _, name := range []string{"SEA_0", "Agrawal_0", "STAGGER_0", "SEA_2000", "Agrawal_2000", "STAGGER_2000"} {
		f, err := os.Open("../../../shared/data/drift_" + name + ".json.gz")
		if err != nil {
			t.Skip("the benchmark's streams are not here: ../shared/data")
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Correct    string     `json:"correct"`
			FirstIndex int64      `json:"first_index"`
			Drifts     [][2]int64 `json:"drifts"`
		}
		if err := json.NewDecoder(z).Decode(&s); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		var alarms []int64
		g := GLR{Delta: .01}
		for i := range len(s.Correct) {
			at := s.FirstIndex + int64(i)
			if _, alarm := g.Observe(at, s.Correct[i] == '0'); alarm {
				alarms = append(alarms, at)
				g = GLR{Delta: .01}
			}
		}
		truth, delay := 0, int64(0)
		for _, d := range s.Drifts {
			for _, a := range alarms {
				if a >= d[0] && a <= d[1]+1000 {
					truth++
					delay += a - d[0]
					break
				}
			}
		}
		precision, recall := float64(truth)/float64(max(1, len(alarms))), float64(truth)/float64(len(s.Drifts))
		f1 := 2 * precision * recall / max(1e-9, precision+recall)
		t.Logf("%s: F1 %.3f, %d of %d found, mean delay %d, %.3f false alarms per 1,000",
			name, f1, truth, len(s.Drifts), delay/int64(max(1, truth)), 1000*float64(len(alarms)-truth)/float64(len(s.Correct)))
		if false1000 := 1000 * float64(len(alarms)-truth) / float64(len(s.Correct)); false1000 > .1 {
			t.Errorf("%s: %.3f false alarms per 1,000, at most .1", name, false1000)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	g := GLR{Delta: 1e-12}
	var i int64
	for b.Loop() {
		g.Observe(i, rng.Float64() < .05)
		i++
	}
}
