package schemas

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep objects and arrays may lie in each other, the event's
// own object included.
const maxJSONDepth = 64

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainRun finds the first byte from i on that ends a run of plain text in a JSON
// string: a quote, a backslash or a control character, or the end of b. ascii says
// whether all bytes before it are ASCII.
//
// It takes eight bytes at a time: a byte of x is zero where (x-1)&^x has its high bit
// set, and below n where (x-n)&^x has (Mycroft's test). A borrow can set bits above a
// true match only, and the lowest bit is the one that counts.
func plainRun(b []byte, i int) (end int, ascii bool) {
	var high uint64
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote := x ^ '"'*lowBits
		slash := x ^ '\\'*lowBits
		stop := ((quote - lowBits) &^ quote) | ((slash - lowBits) &^ slash) | ((x - ' '*lowBits) &^ x)
		if stop &= highBits; stop != 0 {
			at := bits.TrailingZeros64(stop) &^ 7
			high |= x & (1<<at - 1)
			return i + at/8, high&highBits == 0
		}
		high |= x
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' || c == '\\' || c < ' ' {
			break
		}
		high |= uint64(c)
	}
	return i, high&highBits == 0
}

// readEscape reads the escape at b[i], a backslash. It returns the character, the
// escape's length, and the problem, "" where there is none.
func readEscape(b []byte, i int) (r rune, size int, problem string) {
	if i+1 >= len(b) {
		return 0, 0, "the string has no end"
	}
	switch b[i+1] {
	case '"', '\\', '/':
		return rune(b[i+1]), 2, ""
	case 'b':
		return '\b', 2, ""
	case 'f':
		return '\f', 2, ""
	case 'n':
		return '\n', 2, ""
	case 'r':
		return '\r', 2, ""
	case 't':
		return '\t', 2, ""
	case 'u':
		return readUnicodeEscape(b, i)
	}
	return 0, 0, "an unknown escape in a string"
}

func readUnicodeEscape(b []byte, i int) (r rune, size int, problem string) {
	r = readHex(b, i+2)
	if r < 0 {
		return 0, 0, "an escape in a string that is not four hex digits"
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, ""
	}
	if i+7 < len(b) && b[i+6] == '\\' && b[i+7] == 'u' {
		if pair := utf16.DecodeRune(r, readHex(b, i+8)); pair != utf8.RuneError {
			return pair, 12, ""
		}
	}
	return 0, 0, "a surrogate escape in a string without its other half"
}

// readHex reads four hex digits; -1 where there are none.
func readHex(b []byte, i int) rune {
	if i+4 > len(b) {
		return -1
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// numberEnd finds the end of the JSON number that begins at b[i]. whole says that it
// has neither fraction nor exponent. Where there is no valid number, end is i.
func numberEnd(b []byte, i int) (end int, whole bool) {
	start := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	digits := digitsEnd(b, i)
	if digits == i || (b[i] == '0' && digits > i+1) {
		return start, false
	}
	i, whole = digits, true
	if i < len(b) && b[i] == '.' {
		whole = false
		if digits = digitsEnd(b, i+1); digits == i+1 {
			return start, false
		}
		i = digits
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		whole = false
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if digits = digitsEnd(b, i); digits == i {
			return start, false
		}
		i = digits
	}
	return i, whole
}

func digitsEnd(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// firstInvalidUTF8 is the place of the first byte that is no part of UTF-8.
func firstInvalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return len(b)
}
