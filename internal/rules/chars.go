package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible takes out of s what a reader does not see, and which would hide an address or
// a number: for texts that keep their own spelling, such as a model's messages. Line
// ends, blanks and everything else stay as they are.
func visible(s string) string {
	var b strings.Builder
	var f filter
	kept := 0 // what of s is in b
	for i := 0; i < len(s); {
		c, n := rune(s[i]), 1
		if c >= ' ' && c < 127 || c == '\n' || c == '\t' || c == '\r' {
			f.base, f.mark = c, false
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(s[i:])
		}
		if plain := f.next(c); plain != c {
			b.WriteString(s[kept:i])
			if plain >= 0 {
				b.WriteRune(plain)
			}
			kept = i + n
		}
		i += n
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// filter says of the characters of a text, one after another, how each is kept.
type filter struct {
	base rune // the last that was kept and is no mark: what a joiner stands behind
	mark bool // whether the last that was kept is a mark
}

// next returns c, the plain form of a blank or hyphen that only forbids a line break, or
// -1 where nothing of c is kept.
func (f *filter) next(c rune) rune {
	switch {
	case c < ' ' || c == 127:
		return -1
	case c < 127 || c > '\u00ad' && c < '\u0300': // letters and signs, and no more
		f.base, f.mark = c, false
		return c
	}
	switch {
	case c == '\u00a0' || c == '\u2007' || c == '\u2009' || c == '\u202f':
		c = ' '
	case c == '\u2010' || c == '\u2011':
		c = '-'
	case c == '\u034f': // a joiner of marks, which NFC itself puts into long runs of them
		if !f.mark {
			return -1
		}
		return c
	case joiner(c):
		if f.base < utf8.RuneSelf || unicode.In(f.base, unicode.Latin, unicode.Greek, unicode.Cyrillic) || dense(f.base) {
			return -1
		}
		return c
	case invisible(c):
		return -1
	case unicode.IsMark(c):
		f.mark = true
		return c
	}
	f.base, f.mark = c, false
	return c
}

// joiner characters are needed within emoji and by scripts whose letters join. Behind
// others they do nothing that is seen.
func joiner(c rune) bool {
	return c == '\u200c' || c == '\u200d' || c >= '\ufe00' && c <= '\ufe0f' || c >= 0xe0000 && c <= 0xe01ef
}

// invisible characters carry no text: controls, byte order marks, soft hyphens, marks of
// direction, zero-width spaces, and what stands for bytes that are no text.
func invisible(c rune) bool {
	switch c {
	case utf8.RuneError, '\u115f', '\u1160', '\u17b4', '\u17b5', '\u180e', '\u3164', '\uffa0':
		return true
	}
	return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) && !prepended(c)
}

// prepended are the format characters that are seen: signs over the numbers behind them.
func prepended(c rune) bool { return unicode.Is(unicode.Prepended_Concatenation_Mark, c) }

// dense scripts put no blanks between words, so that a letter of theirs says nothing of
// where an address or a number in other letters begins or ends.
func dense(c rune) bool {
	return c >= 0x0e00 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// spelled says whether c is a letter, mark or number of a script that puts blanks
// between words.
func spelled(c rune) bool {
	return (unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsNumber(c)) && !dense(c)
}

// wordAt says whether a word goes on at i, wordBefore whether one ends there.
func wordAt(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	if c := s[i]; c < utf8.RuneSelf {
		return isDigit(c) || isLetter(c) || c == '_'
	}
	c, _ := utf8.DecodeRuneInString(s[i:])
	return spelled(c)
}

func wordBefore(s string, i int) bool {
	if i == 0 {
		return false
	}
	if c := s[i-1]; c < utf8.RuneSelf {
		return isDigit(c) || isLetter(c) || c == '_'
	}
	c, _ := utf8.DecodeLastRuneInString(s[:i])
	return spelled(c)
}
