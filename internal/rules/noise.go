package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortText is the length, in characters, below which the noise rules do not judge.
const shortText = 20

// measured is what the rules of length and noise go by.
type measured struct {
	characters int
	// letters is the share of letters, marks and digits among what is not white space.
	letters float64
	// run is the length of the longest run of one character, in bytes.
	run int
}

// Bits of plain characters: whether one is a letter or digit, and whether it is more than
// white space.
const (
	isGood  = 1
	isInked = 2
)

// plain has the bits of the plain characters. It is read only.
var plain = func() (bits [utf8.RuneSelf]uint8) {
	for c := range bits {
		switch {
		case c == ' ' || c == '\n' || c == '\t':
		case isLetter(byte(c)) || isDigit(byte(c)):
			bits[c] = isGood | isInked
		default:
			bits[c] = isInked
		}
	}
	return bits
}()

// measure goes once over a text.
func measure(text string) (m measured) {
	m.characters = len(text)
	var good, inked, run int
	last := rune(-1)
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			bits := plain[c]
			good += int(bits & isGood)
			inked += int(bits >> 1)
			if rune(c) != last {
				last, run = rune(c), 0
			}
			if run++; run > m.run {
				m.run = run
			}
			i++
			continue
		}
		c, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsSpace(c):
		case unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c):
			good++
			inked++
		default:
			inked++
		}
		if c != last {
			last, run = c, 0
		}
		run += n
		m.run = max(m.run, run)
		m.characters -= n - 1
		i += n
	}
	if inked > 0 {
		m.letters = float64(good) / float64(inked)
	}
	return m
}

// fewLines are compared each with each; of more, a table is kept.
const fewLines = 32

// repeated is how many bytes of a text lie in repeats of lines that came before.
func repeated(text string) (n int) {
	if strings.IndexByte(text, '\n') < 0 {
		return 0
	}
	var few [fewLines]string
	var many map[string]bool
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		again := many[line]
		for i := 0; i < lines && !again; i++ {
			again = few[i] == line
		}
		switch {
		case again:
			n += len(line) + 1
		case lines < fewLines:
			few[lines] = line
			lines++
		default:
			if many == nil {
				many = map[string]bool{}
			}
			many[line] = true
		}
	}
	return n
}

// repetition is the share of a text's bytes that lie in repeats of lines that came
// before, or in the longest run of one character, whichever is more.
func repetition(text string, m measured) float64 {
	return float64(max(repeated(text), m.run)) / float64(len(text))
}
