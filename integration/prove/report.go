package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// The table of results stands between these lines of docs/reliability.md.
const (
	reportBegin = "<!-- results: made by go run ./integration/prove report -->"
	reportEnd   = "<!-- end of results -->"
)

// report writes what results files hold into a document, between the two markers.
func report(document string, files []string) error {
	if len(files) == 0 {
		return errors.New("report: name results files")
	}
	var all []result
	for _, f := range files {
		some, err := readResults(f)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			return fmt.Errorf("report: %s has no results", f)
		}
		all = append(all, some...)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(reportBegin+"\n"))
	_, after, closed := bytes.Cut(rest, []byte(reportEnd))
	if !ok || !closed {
		return fmt.Errorf("report: %s lacks the lines %q and %q", document, reportBegin, reportEnd)
	}
	table := reportBegin + "\n" + tables(all) + reportEnd
	return os.WriteFile(document, slices.Concat(before, []byte(table), after), 0o644)
}

// tables renders the short and the long form.
func tables(all []result) string {
	var b strings.Builder
	for _, form := range []struct {
		title string
		short bool
	}{{"The short form, as CI runs it", true}, {"The long form, by hand", false}} {
		var lines []string
		for _, w := range rows {
			for _, seed := range seedsOf(all, w.name, form.short) {
				of := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.Row != w.name || r.Short != form.short || r.Seed != seed })
				lines = append(lines, reportLine(w, of))
			}
		}
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", form.title)
		b.WriteString("| row | asked | injected | acknowledged | lost | doubled | torn | verify | memory at most, MiB | time | seed | version |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
		b.WriteString(strings.Join(lines, "") + "\n")
	}
	return b.String()
}

func seedsOf(all []result, name string, short bool) []uint64 {
	seen := map[uint64]bool{}
	for _, r := range all {
		if r.Row == name && r.Short == short {
			seen[r.Seed] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func reportLine(w row, of []result) string {
	total := sum(of)
	memory := map[string]int{}
	verify, asked, failed := 0, false, 0
	versions := map[string]bool{}
	for _, r := range of {
		for sort, most := range r.MaxRSS {
			memory[sort] = max(memory[sort], most)
		}
		if r.Verify >= 0 {
			asked, verify = true, max(verify, r.Verify)
		}
		if !r.holds() {
			failed++
		}
		versions[r.Version] = true
	}
	exit := "-"
	if asked {
		exit = fmt.Sprint(verify)
	}
	name := w.name
	if failed > 0 {
		name += fmt.Sprintf(" (%d of %s did not hold)", failed, plural(len(of), "round"))
	}
	size := w.long
	if of[0].Short {
		size = w.short
	}
	injected := counted(total.Faults)
	if len(total.Faults) == 0 {
		injected = counted(total.Counts)
	}
	for _, measured := range []string{"recovery_ms", "verify_ms"} {
		if n := total.Counts[measured]; n > 0 && w.apart {
			injected += fmt.Sprintf("; %s: %s", measured, thousands(n))
		}
	}
	return fmt.Sprintf("| %s | %s %s | %s | %s | %d | %d | %d | %s | %s | %.0f s | %d | %s |\n", name, thousands(size), w.unit, injected,
		thousands(total.Acknowledged), total.Lost, total.Doubled, total.Torn, exit, counted(memory), total.Seconds, of[0].Seed,
		strings.Join(slices.Sorted(maps.Keys(versions)), ", "))
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted renders counts by name.
func counted(by map[string]int) string {
	if len(by) == 0 {
		return "-"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s: %s", name, thousands(by[name])))
	}
	return strings.Join(parts, ", ")
}

// sum adds rounds up. A round's acknowledged events are its deployment's from the first
// round on, so the last of each deployment has them all.
func sum(rounds []result) result {
	total := result{Faults: map[string]int{}, Counts: map[string]int{}}
	acknowledged := map[string]int{}
	for _, r := range rounds {
		for name, n := range r.Faults {
			total.Faults[name] += n
		}
		for name, n := range r.Counts {
			total.Counts[name] += n
		}
		acknowledged[r.Deployment] = max(acknowledged[r.Deployment], r.Acknowledged)
		total.Lost += r.Lost
		total.Doubled += r.Doubled
		total.Torn += r.Torn
		total.Seconds += r.Seconds
	}
	for _, n := range acknowledged {
		total.Acknowledged += n
	}
	return total
}
