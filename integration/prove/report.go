package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// counted renders counts by name.
func counted(by map[string]int) string {
	if len(by) == 0 {
		return "no faults"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%d × %s", by[name], name))
	}
	return strings.Join(parts, ", ")
}

// sum adds rounds up; what counts from a row's first round on is that of the last.
func sum(rounds []result) result {
	total := result{Faults: map[string]int{}, Counts: map[string]int{}}
	for _, r := range rounds {
		for name, n := range r.Faults {
			total.Faults[name] += n
		}
		total.Acknowledged = max(total.Acknowledged, r.Acknowledged)
		total.Lost += r.Lost
		total.Doubled += r.Doubled
		total.Torn += r.Torn
		total.Seconds += r.Seconds
	}
	return total
}

func report(string, []string) error { return nil }
