package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalise gives the one spelling of a text: NFC, line ends as \n, runs of blanks as
// one, at most one empty line, no control or invisible characters, nothing at the ends.
// What is normalised stays as it is when it is normalised again.
func normalise(text string) string {
	// Composed last: what was removed may have kept a letter and its accent apart. The
	// composed form of a character may be one of which tidy thinks otherwise, so a text
	// that composing changes goes round again; none is known to need the third.
	for range 4 {
		plain, ascii := tidy(text)
		if ascii {
			return plain
		}
		if text = norm.NFC.String(plain); text == plain {
			break
		}
	}
	return text
}

// tidy is normalise without composing; ascii says whether nothing is left to compose.
func tidy(text string) (plain string, ascii bool) {
	done := tidied(text)
	if done == len(text) {
		return text, true
	}
	var b strings.Builder
	b.Grow(len(text))
	b.WriteString(text[:done])
	var f filter
	if done > 0 {
		f.base = rune(text[done-1])
	}
	newlines, blank := 0, false
	ascii = true
	for i := done; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(text[i:])
		}
		from := i
		i += n
		switch {
		case c == '\n', c == '\u2028', c == '\u2029', c == '\u0085':
			newlines++
			blank = false
			continue
		case c == '\r':
			if i >= len(text) || text[i] != '\n' {
				newlines++
			}
			continue
		case c == ' ' || c == '\t' || c > 127 && unicode.IsSpace(c):
			blank = true
			continue
		}
		if newlines > 0 || blank {
			f.base, f.mark = ' ', false
		}
		if c = f.next(c); c < 0 {
			continue
		}
		if b.Len() > 0 {
			switch {
			case newlines > 1:
				b.WriteString("\n\n")
			case newlines == 1:
				b.WriteByte('\n')
			case blank:
				b.WriteByte(' ')
			}
		}
		newlines, blank = 0, false
		if c >= utf8.RuneSelf {
			ascii = false
			b.WriteRune(c)
			continue
		}
		if text[from] != byte(c) { // a hyphen in its plain form
			b.WriteByte(byte(c))
			continue
		}
		// Most of a text is runs of plain characters, which are copied as one.
		for i < len(text) && text[i] > ' ' && text[i] < 127 {
			i++
		}
		b.WriteString(text[from:i])
	}
	return b.String(), ascii
}

// tidied is how much of a text's beginning is plain characters with single blanks, line
// ends and empty lines between them: what most texts are to their end. It never ends
// behind a blank.
func tidied(text string) int {
	isPlain := func(i int) bool { return i < len(text) && text[i]-'!' <= '~'-'!' }
	i := 0
	for i < len(text) {
		for i < len(text) && text[i]-'!' <= '~'-'!' {
			i++
		}
		switch {
		case i == len(text):
		case i > 0 && (text[i] == ' ' || text[i] == '\n') && isPlain(i+1):
			i += 2
		case i > 0 && text[i] == '\n' && i+1 < len(text) && text[i+1] == '\n' && isPlain(i+2):
			i += 3
		default:
			return i
		}
	}
	return i
}
