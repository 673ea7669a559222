// Package console is what the commands share: aligned tables, progress, a live view of
// several lines, and numbers as people read them.
package console

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Column is one of a table's.
type Column struct {
	Title string
	// Right aligns the column at its right edge, as numbers want it.
	Right bool
}

// Table writes rows below the columns' titles, each column as wide as its widest cell.
// A row that is too short has empty cells, what it has too many is left out.
func Table(w io.Writer, columns []Column, rows [][]string) error {
	lines := make([][]string, 0, len(rows)+1)
	widths := make([]int, len(columns))
	add := func(cell func(i int) string) {
		line := make([]string, len(columns))
		for i := range columns {
			line[i] = Clean(cell(i))
			widths[i] = max(widths[i], Width(line[i]))
		}
		lines = append(lines, line)
	}
	add(func(i int) string { return columns[i].Title })
	for _, row := range rows {
		add(func(i int) string {
			if i < len(row) {
				return row[i]
			}
			return ""
		})
	}
	var b strings.Builder
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			if i > 0 {
				text.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-Width(cell))
			if columns[i].Right {
				text.WriteString(pad + cell)
			} else {
				text.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("console: write table: %w", err)
	}
	return nil
}

// Clean makes a text safe to show on one line: control characters, which could move the
// cursor or hide what follows, become spaces, and what is not UTF-8 the replacement
// character.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Width is the number of terminal cells that a text takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	switch {
	case r < 0x300: // all of Latin, the usual case
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut shortens a text to at most n cells; the last of them then is an ellipsis.
func Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if c := cells(r); used+c > n-1 {
			return s[:i] + strings.Repeat("…", min(1, max(0, n)))
		} else {
			used += c
		}
	}
	return s
}
