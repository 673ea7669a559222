package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalise gives the one spelling of a text: NFC, line ends as \n, runs of blanks as
// one, at most one empty line, no control or invisible characters, nothing at the ends.
func normalise(text string) string {
	if !isASCII(text) {
		text = norm.NFC.String(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	newlines, blank := 0, false
	for i := 0; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(text[i:])
		}
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
		case c < ' ' || c == 127 || c > 127 && invisible(c):
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
		b.WriteRune(c)
	}
	return b.String()
}

// invisible characters carry no text: controls, byte order marks, soft hyphens and
// zero-width spaces. Joiners stay, since scripts and emoji need them.
func invisible(c rune) bool {
	switch c {
	case '\u00ad', '\u200b', '\u2060', '\ufeff', '\u200e', '\u200f', '\u061c':
		return true
	case '\u200c', '\u200d':
		return false
	}
	return unicode.IsControl(c) || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069' || c == utf8.RuneError
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
