package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// row is one line of the report.
type row struct {
	what string
	// ours and peer are medians in unit; peer is 0 where there is none.
	ours, peer float64
	unit       string
	// ratio is the median of the rounds' ratios, ours over peer; low and high are the
	// rounds' extremes.
	ratio, low, high float64
	// goal is what the ratio, or ours where there is no peer, is held against; as text.
	goal string
}

// compare makes a row of what the rounds measured, the two sides in the same order.
// Each ratio is of one round: the machine's mood is the same on both sides of it.
func compare(what, unit, goal string, ours, peer []float64) row {
	ratios := make([]float64, min(len(ours), len(peer)))
	for i := range ratios {
		ratios[i] = ours[i] / peer[i]
	}
	return row{
		what: what, unit: unit, goal: goal, ours: median(ours), peer: median(peer),
		ratio: median(ratios), low: slices.Min(ratios), high: slices.Max(ratios),
	}
}

// median of values, which are left as they are.
func median(values []float64) float64 { return quantile(values, .5) }

// quantile is the nearest rank's, between the two where it lies between.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	at := q * float64(len(s)-1)
	low := int(at)
	if low+1 == len(s) {
		return s[low]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}

func printRows(w io.Writer, part string, rows []row) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "| %s | Millrace | peer | ratio (lowest to highest) | goal |\n| --- | --- | --- | --- | --- |\n", part)
	for _, r := range rows {
		peer, ratio := "", ""
		if r.peer != 0 {
			peer = figure(r.peer, r.unit)
			ratio = fmt.Sprintf("%.2f (%.2f to %.2f)", r.ratio, r.low, r.high)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.what, figure(r.ours, r.unit), peer, ratio, r.goal)
	}
	fmt.Fprintln(w)
}

// figure prints three digits that count, or whole numbers in groups.
func figure(v float64, unit string) string {
	if unit == "%" {
		return fmt.Sprintf("%.2f %%", v)
	}
	if v < 1000 {
		return fmt.Sprintf("%.3g %s", v, unit)
	}
	digits := fmt.Sprintf("%.0f", v)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String() + " " + unit
}
