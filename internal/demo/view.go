package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/trainers/registry"
)

// view draws what happens.
type view struct {
	deps   Deps
	replay *replay
	watch  *watch
	told   map[string]bool // what was said once
}

const barWidth = 30

func (v *view) run(ctx context.Context) error {
	v.told = map[string]bool{}
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		lines, err := v.lines()
		if err != nil {
			return err
		}
		v.deps.View.Update(lines...)
	}
}

// end draws for the last time.
func (v *view) end(*Report) error {
	lines, err := v.lines()
	if err != nil {
		return err
	}
	return v.deps.View.Close(lines...)
}

func (v *view) lines() ([]string, error) {
	texts := v.replay.texts.Load()
	outcomes, rules, err := v.verdicts()
	if err != nil {
		return nil, err
	}
	lines := []string{
		fmt.Sprintf("mails     %s %s of %s, %s answers of the reader", console.Bar(texts, int64(len(v.replay.mails)), barWidth),
			console.Count(texts), console.Count(int64(len(v.replay.mails))), console.Count(v.replay.feedback.Load())),
		fmt.Sprintf("cleaned   %s clean, %s rejected%s, %s duplicate, %s dead", console.Count(outcomes["clean"]), console.Count(outcomes["rejected"]), rules,
			console.Count(outcomes["duplicate"]), console.Count(outcomes["dead"])),
	}
	v.watch.see(func(m *registry.Model) { lines = append(lines, v.model(m)...) })
	return lines, nil
}

// verdicts counts by outcome, over all inputs, and names the rules that refused.
func (v *view) verdicts() (outcomes map[string]int64, rules string, err error) {
	families, err := v.deps.Metrics.Gather()
	if err != nil {
		return nil, "", fmt.Errorf("demo: read metrics: %w", err)
	}
	outcomes = map[string]int64{}
	byRule := map[string]int64{}
	for _, f := range families {
		if f.GetName() != "millrace_clean_verdicts_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			n := int64(m.GetCounter().GetValue())
			outcomes[labels["outcome"]] += n
			if labels["outcome"] == "rejected" {
				byRule[labels["rule"]] += n
			}
		}
	}
	var parts []string
	for rule, n := range byRule {
		parts = append(parts, fmt.Sprintf("%s %s", console.Count(n), rule))
	}
	if len(parts) == 0 {
		return outcomes, "", nil
	}
	slices.Sort(parts)
	return outcomes, " (" + strings.Join(parts, ", ") + ")", nil
}

// model says how the model does, and tells what happened to it once, above the view.
func (v *view) model(m *registry.Model) []string {
	if m == nil {
		return []string{"model     none yet"}
	}
	for _, s := range m.Signals {
		if v.once(s.EventID) {
			v.deps.View.Println(fmt.Sprintf("  drift     %s of %s went from %.3f to %.3f over %d examples (%s)", s.Signal, orNone(s.ModelVersion), s.Before, s.After, s.Examples, s.Detector))
		}
	}
	for _, r := range m.Runs {
		if v.once(r.Trigger.RunID) {
			v.deps.View.Println("  trigger   " + r.Trigger.Reason + ": " + r.Trigger.Detail)
		}
	}
	state := "no run is in flight"
	if r := m.InFlight(); r != nil {
		state = "training, asked for by " + r.Trigger.Reason
		if n := len(r.Steps); n > 0 {
			state += ", " + r.Steps[n-1].Step
		}
	}
	type change struct {
		registry.Change
		version string
	}
	var changes []change
	for _, ver := range slices.Backward(m.Versions) { // what replaces is told before what is replaced
		for _, c := range ver.Changes {
			if v.once(c.ID) {
				changes = append(changes, change{c, ver.Version})
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.At, b.At) })
	for _, c := range changes {
		v.deps.View.Println(fmt.Sprintf("  version   %s is %s: %s", c.version, c.Stage, c.Reason))
	}
	lines := []string{"model     " + state}
	var parts []string
	for _, ver := range m.Versions {
		if q := m.Quality[ver.Version]; q.Examples > 0 {
			parts = append(parts, fmt.Sprintf("%s %s of %s", ver.Version, console.Percent(float64(q.Correct)/float64(q.Examples)), console.Count(q.Examples)))
		}
	}
	if len(parts) > 0 {
		lines = append(lines, "right     "+strings.Join(parts, ", "))
	}
	return lines
}

func (v *view) once(what string) bool {
	told := v.told[what]
	v.told[what] = true
	return !told
}

func orNone(version string) string {
	if version == "" {
		return "the texts"
	}
	return version
}
