package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortText is the length, in characters, below which the noise rules do not judge.
const shortText = 20

// letters is the share of letters, marks and digits among what is not white space.
func letters(text string) float64 {
	var all, good int
	for _, c := range text {
		switch {
		case c < utf8.RuneSelf:
			if c == ' ' || c == '\n' || c == '\t' {
				continue
			}
			if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' {
				good++
			}
		case unicode.IsSpace(c):
			continue
		case unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c):
			good++
		}
		all++
	}
	if all == 0 {
		return 0
	}
	return float64(good) / float64(all)
}

// repetition is the share of a text's bytes that lie in repeats of lines that came
// before, or in the longest run of one character, whichever is more.
func repetition(text string) float64 {
	seen := map[string]bool{}
	repeated := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if seen[line] {
			repeated += len(line) + 1
		}
		seen[line] = true
	}
	longest, run := 0, 0
	var last rune = -1
	for _, c := range text {
		if c != last {
			last, run = c, 0
		}
		run += utf8.RuneLen(c)
		longest = max(longest, run)
	}
	return float64(max(repeated, longest)) / float64(len(text))
}
