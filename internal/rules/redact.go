package rules

import (
	"encoding/json"
	"net/netip"
	"strings"
)

// The typed tags that stand in place of personal data.
const (
	tagEmail = "<EMAIL>"
	tagPhone = "<PHONE>"
	tagIP    = "<IP>"
	tagCard  = "<CARD>"
)

// maxEmail bounds an address, RFC 5321: 64 bytes before the @ and 255 behind it.
const (
	maxLocal  = 64
	maxDomain = 255
)

// redact replaces e-mail addresses, phone numbers, IP addresses and payment cards by
// typed tags, and counts them where counts is there. Its result stays as it is when it
// is redacted again: a tag may bring a number into sight of a cue, so it passes over a
// text until nothing is found, which each pass with a find brings nearer.
func redact(s string, counts map[string]int64) string {
	for {
		clean := redactOnce(s, counts)
		if len(clean) == len(s) && clean == s {
			return s
		}
		s = clean
	}
}

func redactOnce(s string, counts map[string]int64) string {
	var b strings.Builder
	kept := 0 // what of s is in b
	replace := func(from, to int, tag string) {
		if b.Len() == 0 {
			b.Grow(len(s))
		}
		b.WriteString(s[kept:from])
		b.WriteString(tag)
		kept = to
		if counts != nil {
			counts[strings.ToLower(strings.Trim(tag, "<>"))]++
		}
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch class[c] {
		case classAt:
			if from, to, ok := email(s, i, kept); ok {
				replace(from, to, tagEmail)
				i = to
				continue
			}
		case classDigit, classPlus:
			if i == kept || boundary(s, i) {
				if to, tag := number(s, i); tag != "" {
					replace(i, to, tag)
					i = to
					continue
				}
				if c != '+' && c != '(' { // no number begins within one
					i = endOfDigits(s, i)
					continue
				}
			}
		case classColon:
			if from, to, ok := ipv6(s, i, kept); ok {
				replace(from, to, tagIP)
				i = to
				continue
			}
		}
		i++
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// Classes of the bytes at which something may be found.
const (
	classDigit = iota + 1
	classPlus
	classAt
	classColon
)

var class = func() (t [256]byte) {
	for c := '0'; c <= '9'; c++ {
		t[c] = classDigit
	}
	t['+'], t['('], t['@'], t[':'] = classPlus, classPlus, classAt, classColon
	return t
}()

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWord(c byte) bool   { return isDigit(c) || isLetter(c) || c == '_' || c >= 0x80 }

// boundary says whether a number may begin at i: not within a word, an identifier, a
// path or a longer number.
func boundary(s string, i int) bool {
	if i == 0 {
		return true
	}
	p := s[i-1]
	if isWord(p) || p == '/' || p == '=' || p == '$' || p == '#' || p == '&' {
		return false
	}
	return (p != '.' && p != '-' && p != ':') || i < 2 || !isWord(s[i-2]) || p == ':' && !isDigit(s[i-2])
}

func endOfDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// email finds the address around the @ at i; it begins at or behind from.
func email(s string, i, from int) (int, int, bool) {
	lo := i
	for lo > from && i-lo < maxLocal && (isDigit(s[lo-1]) || isLetter(s[lo-1]) || strings.IndexByte("._%+'-=", s[lo-1]) >= 0) {
		lo--
	}
	for lo < i && strings.IndexByte("._'-=", s[lo]) >= 0 {
		lo++
	}
	hi, dot := i+1, -1
	for hi < len(s) && hi-i <= maxDomain && (isDigit(s[hi]) || isLetter(s[hi]) || s[hi] == '-' || s[hi] == '.') {
		if s[hi] == '.' {
			if s[hi-1] == '.' || hi == i+1 {
				break
			}
			dot = hi
		}
		hi++
	}
	for hi > i+1 && (s[hi-1] == '.' || s[hi-1] == '-') {
		hi--
		dot = strings.LastIndexByte(s[:hi], '.')
	}
	if lo == i || dot <= i || hi-dot < 3 {
		return 0, 0, false
	}
	for _, c := range []byte(s[dot+1 : hi]) { // a top-level domain has letters alone
		if !isLetter(c) {
			return 0, 0, false
		}
	}
	return lo, hi, true
}

// number finds what begins with a digit, a + or a bracket at i.
func number(s string, i int) (to int, tag string) {
	if to, ok := ipv4(s, i); ok {
		return to, tagIP
	}
	if to, ok := card(s, i); ok {
		return to, tagCard
	}
	if to, ok := phone(s, i); ok {
		return to, tagPhone
	}
	return 0, ""
}

// ends says whether a number may end at i: no word or longer number goes on there.
func ends(s string, i int) bool {
	if i >= len(s) {
		return true
	}
	if isWord(s[i]) {
		return false
	}
	return i+1 >= len(s) || (s[i] != '.' && s[i] != '-' && s[i] != '/' && s[i] != ':') || !isDigit(s[i+1]) || s[i] == ':'
}

func ipv4(s string, i int) (int, bool) {
	at, single := i, true
	for octet := range 4 {
		if octet > 0 {
			if at >= len(s) || s[at] != '.' {
				return 0, false
			}
			at++
		}
		n, from := 0, at
		for at < len(s) && isDigit(s[at]) && at-from < 3 {
			n = n*10 + int(s[at]-'0')
			at++
		}
		if at == from || n > 255 || at-from > 1 && s[from] == '0' {
			return 0, false
		}
		single = single && at-from == 1
	}
	// Four single digits are a version or a revision far more often than an address.
	if single || !ends(s, at) || versioned(s, i) {
		return 0, false
	}
	return at, true
}

// versioned says whether a word before i speaks of a version.
func versioned(s string, i int) bool {
	before := strings.ToLower(strings.TrimRight(s[max(0, i-12):i], " \t:=,"))
	for _, w := range []string{"version", "revision", "rev", "release", " v", "build"} {
		if strings.HasSuffix(before, w) {
			return true
		}
	}
	return false
}

// digits reads groups of digits divided by one separator each, and returns the digits,
// the number of groups and the end.
func digits(s string, i int, separators string, most int) (found []byte, groups, end int) {
	var buf [20]byte
	found = buf[:0]
	for at := i; at < len(s); {
		if isDigit(s[at]) {
			if len(found) == most {
				return nil, 0, 0
			}
			found = append(found, s[at])
			at++
			end = at
			continue
		}
		if at == end && strings.IndexByte(separators, s[at]) >= 0 && at+1 < len(s) && isDigit(s[at+1]) {
			groups++
			at++
			continue
		}
		break
	}
	return found, groups + 1, end
}

// card is 13 to 19 digits of a known range that pass Luhn's check (ISO/IEC 7812-1), in
// one group or in groups divided alike.
func card(s string, i int) (int, bool) {
	if !isDigit(s[i]) || s[i] < '3' || s[i] > '6' {
		return 0, false
	}
	for _, separator := range []string{" ", "-"} {
		d, groups, end := digits(s, i, separator, 19)
		if len(d) < 13 || groups > 5 || !ends(s, end) {
			continue
		}
		sum := 0
		for n := range d {
			v := int(d[len(d)-1-n] - '0')
			if n%2 == 1 {
				if v *= 2; v > 9 {
					v -= 9
				}
			}
			sum += v
		}
		if sum%10 == 0 {
			return end, true
		}
	}
	return 0, false
}

// phone is a number as people write it: with a + or 00 and a country, in the North
// American shape, with an area in brackets, beginning with 0 and divided into groups, or
// behind a word that speaks of phones. Bare runs of digits are none.
func phone(s string, i int) (int, bool) {
	switch {
	case s[i] == '+':
		if i+1 >= len(s) || !isDigit(s[i+1]) {
			return 0, false
		}
		return international(s, i+1, 7)
	case strings.HasPrefix(s[i:], "001-") || strings.HasPrefix(s[i:], "00 "):
		return international(s, i, 10)
	}
	if to, ok := northAmerican(s, i); ok {
		return extension(s, to), true
	}
	if s[i] == '(' {
		return bracketed(s, i)
	}
	if s[i] == '0' {
		d, groups, end := digits(s, i, " -", 15)
		if len(d) >= 9 && groups >= 2 && groups <= 6 && len(groupAt(s, i)) >= 2 && ends(s, end) && !dateLike(s[i:end]) {
			return extension(s, end), true
		}
	}
	if cued(s, i) {
		return international(s, i, 6)
	}
	return 0, false
}

// bracketed reads (dd) ddd-ddd and its like: an area of two to four digits in brackets
// and six to eight behind them in two groups.
func bracketed(s string, i int) (int, bool) {
	at := endOfDigits(s, i+1)
	if n := at - i - 1; n < 2 || n > 4 || at+1 >= len(s) || s[at] != ')' {
		return 0, false
	}
	if at++; s[at] == ' ' {
		at++
	}
	d, groups, end := digits(s, at, " -", 8)
	if len(d) < 6 || groups != 2 || !ends(s, end) {
		return 0, false
	}
	return extension(s, end), true
}

// cues are words behind which digits are a phone's.
var cues = []string{"phone", "tel", "call", "fax", "mobile", "cell", "dial", "answering"}

// cued says whether such a word stands shortly before i.
func cued(s string, i int) bool {
	from := max(0, i-24)
	for from < i && s[from]&0xc0 == 0x80 {
		from++
	}
	before := strings.ToLower(s[from:i])
	for _, cue := range cues {
		n := strings.LastIndex(before, cue)
		if n < 0 {
			continue
		}
		between := before[n+len(cue):]
		if len(between) <= 12 && strings.IndexFunc(between, func(c rune) bool { return c >= '0' && c <= '9' || c == '\n' }) < 0 {
			return true
		}
	}
	return false
}

// groupAt is the first group of digits.
func groupAt(s string, i int) string { return s[i:endOfDigits(s, i)] }

// dateLike tells 04-05-2002 10 and the like from phones.
func dateLike(s string) bool {
	return len(s) >= 8 && !isDigit(s[2]) && !isDigit(s[min(5, len(s)-1)])
}

// international reads at least so many and at most 15 digits (ITU-T E.164) with usual
// separators.
func international(s string, i, least int) (int, bool) {
	n, end := 0, i
	for at := i; at < len(s); at++ {
		switch c := s[at]; {
		case isDigit(c):
			n++
			end = at + 1
		case at-end > 1 || strings.IndexByte(" -.()/", c) < 0:
			at = len(s)
		}
	}
	if n < least || n > 15 || !ends(s, end) {
		return 0, false
	}
	return extension(s, end), true
}

// northAmerican reads [1-](ddd) ddd-dddd and its like. Divided by blanks, area and
// exchange must begin with 2 to 9; the shape divided by - or . is hardly anything else.
func northAmerican(s string, i int) (int, bool) {
	at := i
	if at+1 < len(s) && s[at] == '1' && strings.IndexByte(" -.(", s[at+1]) >= 0 {
		if at++; s[at] != '(' {
			at++
		}
	}
	bracket := at < len(s) && s[at] == '('
	if bracket {
		at++
	}
	if !triple(s, at) {
		return 0, false
	}
	strict := !bracket && at+3 < len(s) && s[at+3] == ' '
	if strict && s[at] < '2' {
		return 0, false
	}
	at += 3
	if bracket {
		if at >= len(s) || s[at] != ')' {
			return 0, false
		}
		at++
	}
	from := at
	for at < len(s) && at-from < 2 && strings.IndexByte(" -./", s[at]) >= 0 {
		at++
	}
	if at == from && !bracket || !triple(s, at) || strict && s[at] < '2' {
		return 0, false
	}
	at += 3
	if at >= len(s) || strings.IndexByte(" -.", s[at]) < 0 {
		return 0, false
	}
	at++
	if at+4 > len(s) || endOfDigits(s, at) != at+4 || !ends(s, at+4) {
		return 0, false
	}
	return at + 4, true
}

// triple is a group of exactly three digits.
func triple(s string, i int) bool { return i+3 <= len(s) && endOfDigits(s, i) == i+3 }

// extension takes " x123" and " ext. 123" along.
func extension(s string, i int) int {
	rest := strings.ToLower(s[i:min(len(s), i+12)])
	at := 0
	for at < len(rest) && (rest[at] == ' ' || rest[at] == ',') {
		at++
	}
	for _, word := range []string{"ext.", "ext", "x"} {
		if after, ok := strings.CutPrefix(rest[at:], word); ok {
			trimmed := strings.TrimLeft(after, " ")
			n := endOfDigits(trimmed, 0)
			if n >= 1 && n <= 6 {
				return i + len(rest) - len(trimmed) + n
			}
		}
	}
	return i
}

// ipv6 finds the address around the first colon at i.
func ipv6(s string, i, from int) (int, int, bool) {
	hex := func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	lo := i
	for lo > from && i-lo < 4 && hex(s[lo-1]) {
		lo--
	}
	if lo > 0 && isWord(s[lo-1]) {
		return 0, 0, false
	}
	hi, n, numbers := lo, 0, 0
	for hi < len(s) && hi-lo < 46 && (hex(s[hi]) || s[hi] == ':' || s[hi] == '.') {
		if s[hi] != ':' && s[hi] != '.' {
			n++
		}
		if isDigit(s[hi]) {
			numbers++
		}
		hi++
	}
	for hi > lo && (s[hi-1] == '.' || s[hi-1] == ':' && (hi < lo+2 || s[hi-2] != ':')) {
		hi--
	}
	// Fewer digits than fe80::1 has are a scope of a program, not an address.
	if n < 5 || numbers == 0 || hi < len(s) && isWord(s[hi]) {
		return 0, 0, false
	}
	addr, err := netip.ParseAddr(s[lo:hi])
	return lo, hi, err == nil && addr.Is6()
}

// redactValue redacts a text, or the strings within a JSON value, which stays one.
func redactValue(s string) string {
	t := strings.TrimLeft(s, " \t\r\n")
	if t == "" || t[0] != '{' && t[0] != '[' || !json.Valid([]byte(s)) {
		return redact(s, nil)
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		open := strings.IndexByte(s, '"')
		if open < 0 {
			b.WriteString(s)
			return b.String()
		}
		end := open + 1
		for s[end] != '"' { // it is valid JSON: the string ends
			if s[end] == '\\' {
				end++
			}
			end++
		}
		b.WriteString(s[:open])
		b.WriteString(redactQuoted(s[open : end+1]))
		s = s[end+1:]
	}
}

// redactQuoted redacts a JSON string literal.
func redactQuoted(literal string) string {
	if strings.IndexByte(literal, '\\') < 0 {
		return `"` + redact(literal[1:len(literal)-1], nil) + `"`
	}
	var text string
	if err := json.Unmarshal([]byte(literal), &text); err != nil {
		return literal
	}
	clean := redact(text, nil)
	if clean == text {
		return literal
	}
	quoted, err := json.Marshal(clean)
	if err != nil {
		return literal
	}
	return string(quoted)
}
