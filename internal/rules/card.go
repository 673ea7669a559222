package rules

import "strings"

// run is a run of digits in groups.
type run struct {
	digits  [20]byte
	n       int // how many digits
	lengths [20]int8
	before  [20]byte // the last separator before each group
	groups  int
	end     int
}

// read reads at most so many digits at i, in groups that are divided by one to most
// separators. It is none where there are more digits.
func (r *run) read(s string, i int, separators string, most, digits int) bool {
	r.n, r.groups, r.end = 0, 0, i
	open := false
	for at := i; at < len(s) && at-r.end <= most; at++ {
		switch c := s[at]; {
		case isDigit(c):
			if r.n == digits {
				return false
			}
			if !open {
				r.lengths[r.groups], r.before[r.groups] = 0, 0
				if at > i {
					r.before[r.groups] = s[at-1]
				}
				r.groups++
				open = true
			}
			r.digits[r.n] = c
			r.n++
			r.lengths[r.groups-1]++
			r.end = at + 1
		case strings.IndexByte(separators, c) < 0:
			return r.n > 0
		default:
			open = false
		}
	}
	return r.n > 0
}

// card is 13 to 19 digits of a network's range and length that pass Luhn's check
// (ISO/IEC 7812-1), in one group or in groups divided alike.
func card(s string, i int) (int, bool) {
	if !isDigit(s[i]) || s[i] < '2' || s[i] > '6' {
		return 0, false
	}
	var r run
	for _, separator := range []string{" ", "-"} {
		if r.read(s, i, separator, 1, 19) && r.groups <= 5 && ends(s, r.end, ".-/") && cardNumber(r.digits[:r.n]) {
			return r.end, true
		}
	}
	return 0, false
}

// cardNumber says whether digits are a card's.
func cardNumber(d []byte) bool {
	if len(d) < 13 {
		return false
	}
	first := 0 // four digits, which name the network
	for _, c := range d[:4] {
		first = first*10 + int(c-'0')
	}
	n, fits := len(d), false
	switch {
	case first >= 2221 && first <= 2720, first >= 5100 && first < 5600: // Mastercard
		fits = n == 16
	case first/100 == 34 || first/100 == 37: // American Express
		fits = n == 15
	case first/10 >= 300 && first/10 <= 305 || first/100 == 36 || first/100 == 38 || first/100 == 39: // Diners Club
		fits = n == 14 || n == 16
	case first >= 3528 && first <= 3589: // JCB
		fits = n >= 16
	case first/1000 == 4: // Visa
		fits = n == 13 || n == 16 || n == 19
	case first/1000 == 5 && first/100 != 59, first/1000 == 6: // Maestro, Discover, UnionPay
		fits = true
	}
	if !fits {
		return false
	}
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
