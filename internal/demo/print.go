package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/console"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	var rules []string
	var rejected int64
	for _, rule := range slices.Sorted(maps.Keys(r.Outcomes.Rejected)) {
		n := r.Outcomes.Rejected[rule]
		rejected += n
		rules = append(rules, fmt.Sprintf("%s %s", console.Count(n), rule))
	}
	line("events", "%s in: %s mails, %s answers of the reader", console.Count(int64(r.EventsIn)), console.Count(int64(r.Texts)), console.Count(int64(r.Feedback)))
	why := ""
	if len(rules) > 0 {
		why = " (" + strings.Join(rules, ", ") + ")"
	}
	line("outcomes", "%s clean, %s rejected%s, %s duplicate, %s dead", console.Count(r.Outcomes.Clean), console.Count(rejected), why, console.Count(r.Outcomes.Duplicate), console.Count(r.Outcomes.Dead))
	line("stored", "%s rows in ClickHouse, %s in Parquet; %d lost, %d duplicated", console.Count(r.ClickHouseRows), console.Count(r.ParquetRows), r.Lost, r.Duplicated)
	line("accuracy", "%s before the change, %s after it, %s on the last third", console.Percent(r.Accuracy.Before), console.Percent(r.Accuracy.After), console.Percent(r.Accuracy.Recovered))
	if r.AtOnce != nil {
		line("", "%s where the same labels are trained on at once", console.Percent(*r.AtOnce))
	}
	line("drift", "first retraining %d answers after the change; %d false triggers of %d", r.FeedbacksToFirstTrigger, r.FalseTriggers, r.Triggers)
	line("time", "%.1f s, %.1f of them in which the replay waited for the loop", r.Seconds, r.HeldSeconds)
	b.WriteByte('\n')
	var rows [][]string
	for _, v := range r.Versions {
		passed := "passed"
		if !v.Passed {
			passed = "not passed"
		}
		accuracy := "-"
		if v.Judged > 0 {
			accuracy = console.Percent(v.Accuracy)
		}
		rows = append(rows, []string{v.Version, v.Stage, v.Trigger, console.Count(v.TrainedOn.Examples), passed, console.Count(v.Judged), accuracy})
	}
	right := func(title string) console.Column { return console.Column{Title: title, Right: true} }
	if err := console.Table(&b, []console.Column{{Title: "VERSION"}, {Title: "STAGE"}, {Title: "TRIGGER"}, right("TRAINED ON"), {Title: "GATE"}, right("JUDGED"), right("RIGHT")}, rows); err != nil {
		return err
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("demo: print the report: %w", err)
	}
	return nil
}
