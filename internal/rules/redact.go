package rules

import (
	"strings"
	"unicode/utf8"
)

// The typed tags that stand in place of personal data.
const (
	tagEmail = "<EMAIL>"
	tagPhone = "<PHONE>"
	tagIP    = "<IP>"
	tagCard  = "<CARD>"
)

// tags are all of them, and by what name each is counted.
var tags = [...]struct{ tag, name string }{{tagEmail, "email"}, {tagPhone, "phone"}, {tagIP, "ip"}, {tagCard, "card"}}

// Detail redacts the description of an error, which may hold the beginning of what
// somebody sent: an address whose domain was cut short counts as one.
func Detail(s string) string {
	s = visible(s)
	var b strings.Builder
	kept := 0 // what of s is in b
	for at := 0; at < len(s); at++ {
		if s[at] != '@' {
			continue
		}
		lo, hi := kept+localPart(s[kept:at]), at+1
		if lo == at {
			continue
		}
		for hi < len(s) && (wordAt(s, hi) || s[hi] >= utf8.RuneSelf || s[hi] == '.' || s[hi] == '-') {
			hi++
		}
		b.WriteString(s[kept:lo])
		b.WriteString(tagEmail)
		kept, at = hi, hi-1
	}
	return redact(b.String()+s[kept:], nil)
}

// redactRaw redacts a text that was not normalised, behind what its name says of it.
func redactRaw(s string, lead hint, counts map[string]int64) string {
	return redactBehind(visible(s), lead, counts)
}

// redact replaces e-mail addresses, phone numbers, IP addresses and payment cards by
// typed tags, and counts them where counts is there. Its result stays as it is when it is
// redacted again, and its work is linear in the text, whatever that holds.
//
// Addresses come first: a local part may look like a number, no number like an address.
func redact(s string, counts map[string]int64) string { return redactBehind(s, 0, counts) }

func redactBehind(s string, lead hint, counts map[string]int64) string {
	r := redactor{counts: counts}
	return r.numbers(r.emails(s), lead)
}

// redactor redacts one text. Its steps are what it did beyond a look at each byte, so
// that a test can hold them against the text's length.
type redactor struct {
	counts map[string]int64
	steps  int
}

func (r *redactor) count(tag string) {
	if r.counts == nil {
		return
	}
	for _, t := range tags {
		if t.tag == tag {
			r.counts[t.name]++
		}
	}
}

// emails replaces addresses.
func (r *redactor) emails(s string) string {
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return s
	}
	var b strings.Builder
	kept := 0 // what of s is in b
	for {
		lo, hi, ok := r.email(s, at, kept)
		if ok {
			if b.Len() == 0 {
				b.Grow(len(s))
			}
			b.WriteString(s[kept:lo])
			b.WriteString(tagEmail)
			kept = hi
			r.count(tagEmail)
		} else {
			hi = at + 1
		}
		next := strings.IndexByte(s[hi:], '@')
		if next < 0 {
			break
		}
		at = hi + next
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// A number is judged by no more of the text than behind bytes before its beginning and
// ahead bytes from there: the longest number, with its separators and its extension, and
// the words that speak of it. Neither may reach over a tag.
const (
	behind = 48
	ahead  = 80
)

// numbers replaces phone numbers, IP addresses and cards, from left to right.
//
// A tag ends what lies before it. A run of digits that was too long for a phone number
// may be one once its end has become a tag, and the result would change when it is
// redacted again. So where something is found at [from, to), what failed within reach
// before from is tried again as if the text ended there, which is how it will look; the
// finds wait on a stack until all before them is settled. Each find has at most ahead
// bytes tried again, each trial looks at no more than behind and ahead bytes, and no
// find lies in another: the work is linear.
func (r *redactor) numbers(s string, lead hint) string {
	type find struct {
		from, to, end int
		tag           string
	}
	var (
		b       strings.Builder
		kept    int          // what of s is in b
		lo      int          // where the text behind the last tag begins
		hi      = len(s)     // the end, or where the next tag begins
		failed  = -1         // the first that was tried behind lo and is nothing
		buffer  [4]find      // most texts need no more
		waiting = buffer[:0] // finds from hi on
	)
	for i := 0; ; {
		for i < hi && class[s[i]] == 0 {
			i++
		}
		if i >= hi {
			if len(waiting) == 0 {
				break
			}
			f := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			if b.Len() == 0 {
				b.Grow(len(s))
			}
			b.WriteString(s[kept:f.from])
			b.WriteString(f.tag)
			r.count(f.tag)
			i, lo, kept, hi, failed, lead = f.to, f.to, f.to, f.end, -1, follows(f.tag)
			continue
		}
		if s[i] == '<' {
			if tag := tagAt(s[i:hi]); tag != "" {
				i += len(tag)
				lo, failed, lead = i, -1, follows(tag)
				continue
			}
			i++
			continue
		}
		from, to, tag := r.try(s, lo, i, hi, lead)
		switch {
		case tag != "":
			waiting = append(waiting, find{from, to, hi, tag})
			hi, i = from, from
			if failed >= 0 && from-failed > 0 {
				i = max(failed, from-ahead)
				r.steps += from - i
			}
		case to > i: // it was tried, and no number begins within one
			if failed < 0 {
				failed = i
			}
			i = to
		default:
			i++
		}
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// try looks for what stands at i, in the text from lo to hi. Where that is nothing, to is
// behind what was tried, or i if there was no need to.
func (r *redactor) try(s string, lo, i, hi int, lead hint) (from, to int, tag string) {
	// Seen from here, the text begins at lo or behind bytes ago.
	start := max(lo, i-behind)
	if start > lo {
		lead = 0
	}
	v, at := s[start:min(hi, i+ahead)], i-start
	switch class[s[i]] {
	case classDigit, classPlus:
		if !boundary(v, at) {
			return i, i, ""
		}
		r.steps += len(v)
		if end, tag := number(v, at, lead); tag != "" {
			return i, start + end, tag
		}
		if isDigit(s[i]) {
			return i, endOfDigits(s[:hi], i), ""
		}
		return i, i + 1, ""
	case classColon:
		// The first colon of an address stands before another or a digit of its base.
		if at+1 >= len(v) || v[at+1] != ':' && !isHex(v[at+1]) {
			return i, i, ""
		}
		r.steps += len(v)
		if from, to, ok := ipv6(v, at); ok {
			return start + from, start + to, tagIP
		}
		return i, i + 1, ""
	}
	return i, i, ""
}

// tagAt is the tag that s begins with.
func tagAt(s string) string {
	for _, t := range tags {
		if strings.HasPrefix(s, t.tag) {
			return t.tag
		}
	}
	return ""
}

// follows says what a tag tells of a number behind it: phone numbers come in lists.
func follows(tag string) hint {
	if tag == tagPhone {
		return hintPhone
	}
	return 0
}

// Classes of the bytes at which something may be found.
const (
	classDigit = iota + 1
	classPlus
	classColon
	classTag
)

var class = func() (t [256]byte) {
	for c := '0'; c <= '9'; c++ {
		t[c] = classDigit
	}
	t['+'], t['('], t[':'], t['<'] = classPlus, classPlus, classColon, classTag
	return t
}()

// boundary says whether a number may begin at i: not within a word, an identifier or a
// longer number.
func boundary(s string, i int) bool {
	if i == 0 {
		return true
	}
	switch s[i-1] {
	case '.', '-':
		return !wordBefore(s, i-1)
	case ':':
		return i < 2 || !isDigit(s[i-2])
	}
	return !wordBefore(s, i)
}

// within says whether i lies behind a slash that divides words: in a path, or a product
// and its version.
func within(s string, i int) bool { return i > 1 && s[i-1] == '/' && wordBefore(s, i-1) }

// ends says whether a number may end at i: no word goes on there, and no longer number
// with one of the separators.
func ends(s string, i int, separators string) bool {
	if i >= len(s) {
		return true
	}
	if wordAt(s, i) {
		return false
	}
	return i+1 >= len(s) || !isDigit(s[i+1]) || strings.IndexByte(separators, s[i]) < 0
}

func endOfDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// number finds what begins with a digit, a + or a bracket at i.
func number(s string, i int, lead hint) (to int, tag string) {
	n, dots := extent(s, i)
	if n < 4 { // fewer digits are nobody's, and most numbers have fewer
		return 0, ""
	}
	if dots >= 3 {
		if q, ok := quad(s, i); ok {
			if q.address(s, i, lead) {
				return q.end, tagIP
			}
			return 0, "" // a version, which is no phone number either
		}
	}
	if n < 6 {
		return 0, ""
	}
	if n >= 13 {
		if to, ok := card(s, i); ok {
			return to, tagCard
		}
	}
	if to, ok := phone(s, i, lead); ok {
		return to, tagPhone
	}
	return 0, ""
}

// extent counts the digits, and the dots among them, of all that may be one number at i.
func extent(s string, i int) (n, dots int) {
	end := i
	for at := i; at < len(s) && at-end <= 2; at++ {
		switch c := s[at]; {
		case isDigit(c):
			n++
			end = at + 1
		case c == '.':
			dots++
		case strings.IndexByte(" -()/+", c) < 0:
			return n, dots
		}
	}
	return n, dots
}
