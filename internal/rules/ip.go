package rules

import (
	"net/netip"
	"strings"
)

// dotted is four numbers divided by dots.
type dotted struct {
	octets [4]int
	end    int
}

// quad reads a dotted quad that ends where it ends: five numbers are none.
func quad(s string, i int) (q dotted, ok bool) {
	at := i
	for n := range q.octets {
		if n > 0 {
			if at >= len(s) || s[at] != '.' {
				return q, false
			}
			at++
		}
		from := at
		for at < len(s) && isDigit(s[at]) && at-from < 3 {
			q.octets[n] = q.octets[n]*10 + int(s[at]-'0')
			at++
		}
		if at == from || q.octets[n] > 255 || at-from > 1 && s[from] == '0' {
			return q, false
		}
	}
	q.end = at
	return q, ends(s, at, ".")
}

// address tells an address from a version, a section or a revision, which look alike:
//
//   - 0.x.x.x and 224.x.x.x upwards are no host's;
//   - behind a word such as version, section or kernel it is none;
//   - behind a product and a slash (Chrome/91.0.100.124) it is none, unless a port follows;
//   - a first number of one digit and none of three is how versions are numbered, and one
//     of 400 addresses: it is taken for an address only behind a word such as ip, host or
//     from the like, in brackets or a URL, or before a port or a prefix length.
//
// So 5.9.23.41 in bare prose stays, and 12.0.1.99 of a release is redacted.
func (q *dotted) address(s string, i int, lead hint) bool {
	o := q.octets
	if o[0] == 0 || o[0] >= 224 {
		return false
	}
	next := byte(0)
	if q.end+1 < len(s) && isDigit(s[q.end+1]) {
		next = s[q.end]
	}
	if next == '-' { // a range of addresses, or a version and its revision
		if _, ok := quad(s, q.end+1); !ok {
			return false
		}
	}
	context := contextAt(s, i, lead)
	if context == hintVersion {
		return false
	}
	port := next == ':'
	if within(s, i) && !port && !hostBefore(s, i-1) {
		return false
	}
	if o[0] > 9 || max(o[1], o[2], o[3]) > 99 {
		return true
	}
	return context == hintAddress || port || next == '/' || i > 0 && (s[i-1] == '[' || s[i-1] == '@' || s[i-1] == '/')
}

// hostBefore says whether the name of a host ends at i: a word with a dot in it.
func hostBefore(s string, i int) bool {
	dot := false
	for i > 0 && (wordBefore(s, i) || s[i-1] == '.' || s[i-1] == '-') {
		i--
		dot = dot || s[i] == '.' && isLetter(s[i+1])
	}
	return dot
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// ipv6 finds the address around the first colon at i.
func ipv6(s string, i int) (from, to int, ok bool) {
	lo := i
	for lo > 0 && i-lo < 4 && isHex(s[lo-1]) {
		lo--
	}
	if wordBefore(s, lo) {
		return 0, 0, false
	}
	hi, n, numbers := lo, 0, 0
	for hi < len(s) && hi-lo < 46 && (isHex(s[hi]) || s[hi] == ':' || s[hi] == '.') {
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
	if n < 5 || numbers == 0 || wordAt(s, hi) || strings.Count(s[lo:hi], ":") < 2 {
		return 0, 0, false
	}
	addr, err := netip.ParseAddr(s[lo:hi])
	return lo, hi, err == nil && addr.Is6()
}
