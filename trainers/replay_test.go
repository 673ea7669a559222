package trainers_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/policy"
	"github.com/millrace-io/millrace/trainers/registry"
	"github.com/millrace-io/millrace/trainers/rollout"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is one partition of model.events with everybody who writes to it, played step by
// step: which step comes next, how far a batch goes and when a stage dies is drawn.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	loop   trainers.Loop
	log    []bus.Record
	db     *state.DB
	stages []*player
	// detector and runners are clients; each runner folds the log as a follower does.
	detector detector
	runners  []*trainer
	commands int
}

// reader applies marks as the bus does: of each step, only what lies above the last.
type reader map[string]bus.Origin

func (r reader) admits(rec *bus.Record) bool {
	if !rec.Derived {
		return true
	}
	o, last := rec.Origin, r[rec.Origin.Step]
	if last.Step != "" && (o.Offset < last.Offset || o.Offset == last.Offset && o.Index <= last.Index) {
		return false
	}
	r[o.Step] = o
	return true
}

// player runs one stage.
type player struct {
	stage   bus.Stage
	st      *state.Partition
	decider trainers.Decider
	marks   reader
	saved   reader // as of the committed position
}

func (w *world) append(rec bus.Record) {
	rec.Topic = bus.ModelEvents
	rec.Offset = int64(len(w.log))
	rec.Timestamp = time.Unix(1_700_000_000+rec.Offset*60, 0)
	if !rec.Derived {
		rec.Origin = bus.Origin{Offset: rec.Offset}
	}
	w.log = append(w.log, rec)
}

func (w *world) claim(m schemas.Message) {
	w.append(bus.Record{Kind: m.Kind() + "_claim", Value: m.MarshalAppend(nil)})
}

func (p *player) open(t *testing.T, db *state.DB) {
	t.Helper()
	var err error
	if p.st, err = db.Partition(p.stage.Name, [16]byte{}, 0); err != nil {
		t.Fatal(err)
	}
	task, err := p.stage.Open(t.Context(), bus.Partition{Topic: bus.ModelEvents}, p.st)
	if err != nil {
		t.Fatal(err)
	}
	p.decider = task.(trainers.Decider)
	p.marks = reader{}
	for step, o := range p.saved {
		p.marks[step] = o
	}
}

// run takes a batch of up to n records. A death loses what was not committed; what it
// wrote by then, or some of it, has landed.
func (p *player) run(w *world, n int, dies bool) {
	from := int(p.st.Position())
	to := min(from+n, len(w.log))
	var out []bus.Record
	for i := from; i < to; i++ {
		rec := w.log[i]
		if !p.marks.admits(&rec) {
			continue
		}
		decided, err := p.decider.Decide(&rec)
		if err != nil {
			w.t.Fatal(err)
		}
		for index, m := range decided {
			o := bus.Origin{Step: p.stage.Name, Offset: rec.Offset, Index: int32(index)}
			out = append(out, bus.Record{Kind: m.Kind(), Origin: o, Derived: true, Value: m.MarshalAppend(nil)})
		}
	}
	if dies {
		out = out[:w.rng.IntN(len(out)+1)]
	}
	for _, rec := range out {
		w.append(rec)
	}
	if dies {
		if err := p.st.Close(); err != nil {
			w.t.Fatal(err)
		}
		p.open(w.t, w.db)
		return
	}
	if err := p.st.Commit(int64(to)); err != nil {
		w.t.Fatal(err)
	}
	p.saved = reader{}
	for step, o := range p.marks {
		p.saved[step] = o
	}
}

// detector makes reports, and signals on the champion that it sees.
type detector struct {
	next     int64 // its input's offset
	champion string
	read     int
}

func (d *detector) emit(w *world, m schemas.Message) {
	m.Env().EventID = fmt.Sprintf("detector-%d-%s", d.next, m.Kind())
	index := int32(0)
	if m.Kind() == schemas.KindDriftSignal {
		index = 1
	}
	w.append(bus.Record{Kind: m.Kind(), Derived: true, Value: m.MarshalAppend(nil), Origin: bus.Origin{Step: "drift-errors", Offset: d.next, Index: index}})
}

func (d *detector) step(w *world) {
	for ; d.read < len(w.log); d.read++ {
		rec := &w.log[d.read]
		var v schemas.ModelVersion
		if rec.Kind == schemas.KindModelVersion && v.Unmarshal(rec.Value) == nil && v.Stage == trainers.StageChampion {
			d.champion = v.Version
		}
	}
	n := 10 + w.rng.Int64N(30)
	report := &schemas.QualityReport{
		Model: "m", ModelVersion: d.champion, Topic: bus.TrainingExamples, FromOffset: d.next, ToOffset: d.next + n,
		Examples: n, Labels: map[string]int64{"a": n / 2, "b": n - n/2},
	}
	if d.champion == "" {
		report.Topic = bus.CleanText
	}
	d.next += n
	d.emit(w, report)
	if d.champion != "" && w.rng.IntN(6) == 0 {
		d.emit(w, &schemas.DriftSignal{
			Model: "m", ModelVersion: d.champion, Signal: "error_rate", Topic: bus.TrainingExamples,
			FromOffset: d.next - n, ToOffset: d.next, Examples: n, Before: .03, After: .5,
		})
	}
}

// trainer claims what a run makes, step by step; another one of it does the same.
type trainer struct {
	fold  *registry.Fold
	marks reader
	read  int
}

func (r *trainer) step(w *world) {
	for ; r.read < len(w.log); r.read++ {
		if rec := &w.log[r.read]; r.marks.admits(rec) {
			if err := r.fold.Apply(rec); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	m := r.fold.Model("m")
	if m == nil || m.InFlight() == nil {
		return
	}
	run := m.InFlight()
	id := run.Trigger.RunID
	luck := rand.New(rand.NewPCG(uint64(id[0])<<8|uint64(id[26]), uint64(id[13])))
	claimStep := func(step string) {
		e := &schemas.TrainingRun{Model: "m", RunID: id, Step: step}
		e.EventID = id + "." + step
		w.claim(e)
	}
	switch {
	case run.Step(trainers.RunStarted) == nil:
		claimStep(trainers.RunStarted)
	case luck.IntN(5) == 0:
		claimStep(trainers.RunFailed)
	case run.Version == nil:
		e := &schemas.ModelVersion{Model: "m", RunID: id, GatePassed: luck.IntN(3) > 0, Digest: strings.Repeat("ab", 32), Artifact: "models/x"}
		e.EventID = id + ".version"
		w.claim(e)
		if w.rng.IntN(3) == 0 {
			claimStep(trainers.RunFinished)
		}
	default:
		claimStep(trainers.RunFinished)
	}
}

func (w *world) person() {
	w.commands++
	c := &schemas.ModelCommand{Model: "m", Command: []string{"promote", "rollback", "train", "approve", "dance"}[w.rng.IntN(5)]}
	if w.rng.IntN(3) > 0 {
		c.Version = fmt.Sprintf("v%d", 1+w.rng.IntN(6))
	}
	c.EventID = fmt.Sprintf("command-%d", w.commands)
	w.claim(c)
	if w.rng.IntN(4) == 0 {
		w.claim(c)
	}
}

func stages(t *testing.T, loop trainers.Loop) []bus.Stage {
	t.Helper()
	cfg := policy.DefaultConfig()
	cfg.Loop, cfg.Model = loop, "m"
	p, err := policy.Stage(cfg, policy.Deps{Log: quiet, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Stage(registry.Deps{Log: quiet, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	o, err := rollout.Stage(rollout.Config{Loop: loop}, rollout.Deps{Log: quiet, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return []bus.Stage{p, r, o}
}

func newWorld(t *testing.T, seed uint64, loop trainers.Loop) *world {
	t.Helper()
	db, err := state.Open("/s", vfs.NewMem(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), loop: loop, db: db}
	for _, s := range stages(t, loop) {
		p := &player{stage: s}
		p.open(t, db)
		w.stages = append(w.stages, p)
	}
	for range 2 {
		w.runners = append(w.runners, &trainer{fold: registry.NewFold(), marks: reader{}})
	}
	return w
}

func (w *world) close() {
	for _, p := range w.stages {
		if err := p.st.Close(); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
}

// play draws steps, then lets everybody finish.
func (w *world) play(steps int) {
	for range steps {
		switch n := w.rng.IntN(20); {
		case n < 4:
			w.detector.step(w)
		case n < 8:
			w.runners[w.rng.IntN(len(w.runners))].step(w)
		case n < 9 && w.rng.IntN(3) == 0:
			w.person()
		default:
			w.stages[w.rng.IntN(len(w.stages))].run(w, 1+w.rng.IntN(12), w.rng.IntN(8) == 0)
		}
	}
	for before := -1; before != len(w.log); {
		before = len(w.log)
		for _, p := range w.stages {
			p.run(w, len(w.log), false)
		}
		w.runners[0].step(w)
	}
}

// TestReplay plays the loop with crashes, repeats and racing runners, and checks what
// must hold of the log, however it was interleaved.
func TestReplay(t *testing.T) {
	const worlds, steps = 60, 400
	base := rand.Uint64()
	t.Logf("seed %d", base)
	var triggers, versions, promotions int
	for i := range uint64(worlds) {
		loop := []trainers.Loop{trainers.Auto, trainers.Auto, trainers.Propose, trainers.Observe}[i%4]
		w := newWorld(t, base+i, loop)
		w.play(steps)
		c := newChecker(t, fmt.Sprintf("seed %d, loop %s", base+i, loop))
		c.log(w.log)
		c.end(w)
		triggers += len(c.triggers)
		versions += len(c.byRun)
		promotions += c.promotions
		w.close()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d triggers, %d versions, %d promotions", triggers, versions, promotions)
	if triggers < worlds || versions < worlds || promotions < worlds/2 {
		t.Errorf("the worlds are too dull to prove anything")
	}
}

// checker reads a log as every reader does.
type checker struct {
	t          *testing.T
	name       string
	marks      reader
	stage      map[string]string // by version
	byRun      map[string]string
	triggers   []string          // run ids
	causes     map[string]string // the latest run, by what it answers
	failed     map[string]bool
	ended      map[string]bool
	steps      map[string]bool
	answers    map[string]bool
	promotions int
}

func newChecker(t *testing.T, name string) *checker {
	return &checker{t: t, name: name, marks: reader{}, stage: map[string]string{}, byRun: map[string]string{},
		causes: map[string]string{}, failed: map[string]bool{}, ended: map[string]bool{}, steps: map[string]bool{}, answers: map[string]bool{}}
}

func (c *checker) errorf(rec *bus.Record, format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s: offset %d: %s", c.name, rec.Offset, fmt.Sprintf(format, args...))
}

func once(set map[string]bool, key string) bool {
	was := set[key]
	set[key] = true
	return !was
}

func (c *checker) log(log []bus.Record) {
	for i := range log {
		rec := &log[i]
		if !rec.Derived || !c.marks.admits(rec) {
			continue
		}
		m := schemas.New(rec.Kind)
		if err := m.Unmarshal(rec.Value); err != nil {
			c.t.Fatal(err)
		}
		switch e := m.(type) {
		case *schemas.DriftTrigger:
			if n := len(c.triggers); n > 0 && !c.ended[c.triggers[n-1]] {
				c.errorf(rec, "a trigger while run %s is in flight", c.triggers[n-1])
			}
			if before := c.causes[e.CauseID]; before != "" && !c.failed[before] {
				c.errorf(rec, "%s is answered twice", e.CauseID)
			}
			c.causes[e.CauseID] = e.RunID
			c.triggers = append(c.triggers, e.RunID)
		case *schemas.TrainingRun:
			if !once(c.steps, e.RunID+e.Step) || c.ended[e.RunID] {
				c.errorf(rec, "step %s of run %s is answered twice or behind its end", e.Step, e.RunID)
			}
			c.ended[e.RunID] = trainers.EndsRun(e.Step)
			c.failed[e.RunID] = e.Step == trainers.RunFailed
		case *schemas.ModelVersion:
			c.version(rec, e)
		case *schemas.ModelCommand:
			if !once(c.answers, e.EventID) {
				c.errorf(rec, "command %s is answered twice", e.EventID)
			}
		}
	}
}

func (c *checker) version(rec *bus.Record, e *schemas.ModelVersion) {
	if rec.Origin.Step == trainers.StepRegistry {
		if v, ok := c.byRun[e.RunID]; ok {
			c.errorf(rec, "run %s made %s and %s", e.RunID, v, e.Version)
		}
		c.byRun[e.RunID] = e.Version
		if want := fmt.Sprintf("v%d", len(c.byRun)); e.Version != want {
			c.errorf(rec, "version %s, want %s", e.Version, want)
		}
	}
	if e.Stage == trainers.StageChampion {
		c.promotions++
	}
	c.stage[e.Version] = e.Stage
	if n := len(c.champions()); n > 1 {
		c.errorf(rec, "champions: %v", c.champions())
	}
}

func (c *checker) champions() []string {
	var out []string
	for v, s := range c.stage {
		if s == trainers.StageChampion {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// end checks what must hold once everybody has read everything.
func (c *checker) end(w *world) {
	for _, run := range c.triggers {
		if !c.ended[run] {
			c.t.Errorf("%s: run %s never ended", c.name, run)
		}
	}
	if w.commands != len(c.answers) {
		c.t.Errorf("%s: %d commands, %d answers", c.name, w.commands, len(c.answers))
	}
	if w.loop == trainers.Auto {
		for v, s := range c.stage {
			if s == trainers.StageCandidate {
				c.t.Errorf("%s: %s waits although the loop is auto", c.name, v)
			}
		}
	}
	champion := ""
	if m := w.runners[0].fold.Model("m"); m != nil && m.Champion != nil {
		champion = m.Champion.Version
	}
	if got := strings.Join(c.champions(), ","); got != champion {
		c.t.Errorf("%s: the log's champion is %q, the fold's %q", c.name, got, champion)
	}
	c.pure(w)
}

// pure checks that each stage decides the same when it reads the whole log at once,
// without a crash, as it did with them.
func (c *checker) pure(w *world) {
	db, err := state.Open("/s", vfs.NewMem(), quiet)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range stages(c.t, w.loop) {
		p := &player{stage: s}
		p.open(c.t, db)
		var decided, landed []string
		landedMarks := reader{}
		for i := range w.log {
			rec := w.log[i]
			if rec.Origin.Step == s.Name && landedMarks.admits(&rec) {
				landed = append(landed, fmt.Sprintf("%d:%d %s %x", rec.Origin.Offset, rec.Origin.Index, rec.Kind, rec.Value))
			}
			if !p.marks.admits(&rec) {
				continue
			}
			out, err := p.decider.Decide(&rec)
			if err != nil {
				c.t.Fatal(err)
			}
			for index, m := range out {
				decided = append(decided, fmt.Sprintf("%d:%d %s %x", rec.Offset, index, m.Kind(), m.MarshalAppend(nil)))
			}
		}
		if !slices.Equal(decided, landed) {
			c.t.Errorf("%s: stage %s decided %d events at once, %d in the log, and they differ", c.name, s.Name, len(decided), len(landed))
		}
		if err := p.st.Close(); err != nil {
			c.t.Error(err)
		}
	}
}
