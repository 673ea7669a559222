package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDomain bounds a domain, RFC 5321.
const maxDomain = 255

// email finds the address around the @ at i; it begins at or behind from.
//
// The domain is looked at first, and the local part, however long, only where there is
// one: then it is replaced, and never looked at again.
func (r *redactor) email(s string, i, from int) (lo, hi int, ok bool) {
	hi, ok = r.domain(s, i+1)
	if !ok {
		return 0, 0, false
	}
	lo = localPart(s[from:i]) + from
	r.steps += i - lo
	for lo < i && strings.IndexByte("._'-=", s[lo]) >= 0 {
		lo++
	}
	return lo, hi, lo < i
}

// localPart is where the local part at the end of s begins. Letters of a dense script
// belong to it if it is written in one, else they are the text before it.
func localPart(s string) int {
	i := len(s)
	script := -1
	for i > 0 {
		c, n := rune(s[i-1]), 1
		switch {
		case c < utf8.RuneSelf:
			if !isDigit(s[i-1]) && !isLetter(s[i-1]) {
				if strings.IndexByte("._%+'-=", s[i-1]) < 0 {
					return i
				}
				break
			}
			if script == 1 {
				return i
			}
			script = 0
		default:
			c, n = utf8.DecodeLastRuneInString(s[:i])
			is := 0
			if dense(c) {
				is = 1
			}
			if !inName(c) || script >= 0 && script != is {
				return i
			}
			script = is
		}
		i -= n
	}
	return i
}

// inName says whether a character beyond ASCII may be in a name of an address.
func inName(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c) || joiner(c)
}

// domain finds the end of the domain at i: the last of its labels, behind a dot, that is
// made of two or more letters. What hangs on it by a hyphen or a dot is not of it, and
// neither is what may be found for itself behind a letter of a dense script; so that it
// is one, or none, whatever is found there.
func (r *redactor) domain(s string, i int) (end int, ok bool) {
	var (
		at, label   = i, i // where it is read, and where its label begins
		letters     = 0    // of the label, if it is made of letters alone
		first, last rune   // of the label
	)
	whole := func() bool {
		if label > i && letters >= 2 {
			end, ok = at, true
			return true
		}
		return false
	}
	defer func() { r.steps += at - i }()
	for at < len(s) {
		c, n := utf8.DecodeRuneInString(s[at:])
		named := c < utf8.RuneSelf && (isDigit(byte(c)) || isLetter(byte(c))) || c >= utf8.RuneSelf && c != utf8.RuneError && inName(c)
		if !named && c != '-' && (c != '.' || at == label) { // no label is empty
			whole()
			return end, ok
		}
		if at-i >= maxDomain {
			return end, ok
		}
		switch c {
		case '.':
			whole()
			label, letters = at+1, 0
		case '-':
			whole()
			letters = -maxDomain
		default:
			switch {
			case at == label:
				first = c
			case first < utf8.RuneSelf && dense(c) && whole():
				return end, ok // "a@b.com", and Japanese at once behind it
			case !spelled(last) && spelled(c):
				whole()
			}
			if letters++; isDigit(byte(c)) && c < utf8.RuneSelf {
				letters = -maxDomain
			}
			last = c
		}
		at += n
	}
	whole()
	return end, ok
}
