package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestMeasure holds what is measured in one pass against each measure by its definition.
func TestMeasure(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "Z", "7", " ", "\n", "\t", "!", "~", "é", "ß", "字", "\u00a0", "\u0301", "aaaa", "----", "字字字", "line\n", "line\n", "another line\n"}
	for range 3000 {
		var b strings.Builder
		for range rng.IntN(60) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		text := b.String()
		var good, inked, longest int
		for i, c := range text {
			if !unicode.IsSpace(c) {
				inked++
				if unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c) {
					good++
				}
			}
			run := 0
			for _, d := range text[i:] {
				if d != c {
					break
				}
				run += utf8.RuneLen(d)
			}
			longest = max(longest, run)
		}
		seen, again := map[string]bool{}, 0
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" && seen[line] {
				again += len(line) + 1
			}
			seen[line] = true
		}
		share := 0.0
		if inked > 0 {
			share = float64(good) / float64(inked)
		}
		if m := measure(text); m != (measured{utf8.RuneCountInString(text), share, longest}) || repeated(text) != again {
			t.Fatalf("%q measures %+v with %d bytes of repeats, want %d characters, %v, %d, %d", text, m, repeated(text), utf8.RuneCountInString(text), share, longest, again)
		}
	}
	// More lines than are compared each with each.
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "%d\n", i%150)
	}
	if n := repeated(b.String()); n != 10*2+40*3 {
		t.Errorf("%d bytes of 200 lines are repeats, want %d", n, 10*2+40*3)
	}
}
