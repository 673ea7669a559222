package rules

import "strings"

// phone is a number as people write it: with a + or 00 and a country, in the North
// American shape, with an area in brackets, beginning with 0 and divided into groups, or
// where a word speaks of phones. Bare runs of digits are none, nor are dates, years,
// pages and decimals, whatever stands before them.
func phone(s string, i int, lead hint) (int, bool) {
	if i > 0 && s[i-1] == '$' {
		return 0, false
	}
	if s[i] == '+' {
		return international(s, i)
	}
	context := contextAt(s, i, lead)
	cued := context == hintPhone || context == hintCall
	if !within(s, i) || cued {
		to, sure, ok := shaped(s, i)
		if ok && (sure || context != hintIdentity) {
			return extension(s, to), true
		}
	}
	var r run
	if !r.read(s, i, " -.()/", 2, 15) || r.n < 6 || !closes(s, r.end, ".-/") || r.otherwise() {
		return 0, false
	}
	if cued || context != hintIdentity && labelled(s, &r) {
		return extension(s, r.end), true
	}
	return 0, false
}

// shaped reads the shapes that need no word with them; sure ones are phones behind a
// word such as order, too.
func shaped(s string, i int) (to int, sure, ok bool) {
	if to, sure, ok := northAmerican(s, i); ok {
		return to, sure, true
	}
	switch s[i] {
	case '(':
		to, ok = bracketed(s, i)
	case '0':
		to, ok = trunk(s, i)
	}
	return to, false, ok
}

// international reads + and a number: at least eight digits, nine if nothing divides
// them, as its country has it.
func international(s string, i int) (int, bool) {
	var r run
	if i+1 >= len(s) || !isDigit(s[i+1]) || !r.read(s, i+1, " -.()/", 2, 15) || !closes(s, r.end, ".-/") {
		return 0, false
	}
	if !dialable(r.digits[:r.n]) || r.groups == 1 && r.n < 9 || r.decimal() {
		return 0, false
	}
	return extension(s, r.end), true
}

// dialable says whether a country has numbers of that length (ITU-T E.164).
func dialable(d []byte) bool {
	switch d[0] {
	case '0':
		return false
	case '1', '7': // North America; Russia and Kazakhstan
		return len(d) == 11
	}
	return len(d) >= 8 && len(d) <= 15
}

// trunk reads a number that begins with 0 and an area, or with 00 and a country, and is
// divided by blanks and hyphens, once by a slash behind the area, or by dots alone.
func trunk(s string, i int) (int, bool) {
	var r run
	area := endOfDigits(s, i)
	switch {
	case area < len(s) && s[area] == '.':
		if !r.read(s, i, ".", 1, 15) || r.groups < 4 || r.n > 11 {
			return 0, false
		}
	case area < len(s) && s[area] == '/' && area-i <= 5:
		var rest run
		if !rest.read(s, area+1, " -", 1, 12) || rest.end == area+1 || !isDigit(s[area+1]) {
			return 0, false
		}
		if !r.read(s, i, " -/", 1, 15) || r.end != rest.end || rest.lengths[0] < 3 || rest.lengths[0] == 4 && isYear(rest.digits[:4]) {
			return 0, false
		}
	default:
		if !r.read(s, i, " -", 1, 15) {
			return 0, false
		}
	}
	switch {
	case r.n < 9 || r.groups < 2 || r.groups > 7 || r.lengths[0] < 2 || !closes(s, r.end, ".-/"):
		return 0, false
	case r.date() || r.isbn():
		return 0, false
	case r.digits[1] == '0':
		return r.end, dialable(r.digits[2:r.n])
	}
	return r.end, true
}

// bracketed reads (dd) ddd-dddd and its like: an area of two to four digits in brackets
// and six to nine behind them. A volume's (1999) 123-145 is none.
func bracketed(s string, i int) (int, bool) {
	at := endOfDigits(s, i+1)
	area := at - i - 1
	if area < 2 || area > 4 || at+1 >= len(s) || s[at] != ')' {
		return 0, false
	}
	domestic := s[i+1] == '0' // as one dials it within a country
	if at++; s[at] == ' ' {
		at++
	}
	var r run
	if at >= len(s) || !isDigit(s[at]) || !r.read(s, at, " -", 1, 9) || r.n < 6 || !closes(s, r.end, ".-/") {
		return 0, false
	}
	if domestic {
		return r.end, r.groups <= 4
	}
	if area == 4 || r.groups != 2 || area+r.n < 9 || r.years() {
		return 0, false
	}
	volume := i > 1 && s[i-1] == ' ' && isDigit(s[i-2])
	return r.end, !volume || !r.pages()
}

// northAmerican reads [1-](ddd) ddd-dddd and its like. Divided by blanks, area and
// exchange must begin with 2 to 9; the shape divided by - or . is hardly
// anything else. It is sure where the area begins so.
func northAmerican(s string, i int) (to int, sure, ok bool) {
	at := i
	if strings.HasPrefix(s[at:], "001") {
		at += 2
	}
	if at+1 < len(s) && s[at] == '1' && strings.IndexByte(" -.(", s[at+1]) >= 0 {
		if at++; s[at] != '(' {
			at++
		}
	} else if at > i {
		return 0, false, false
	}
	bracket := at < len(s) && s[at] == '('
	if bracket {
		at++
	}
	if !triple(s, at) {
		return 0, false, false
	}
	strict := !bracket && at+3 < len(s) && s[at+3] == ' '
	sure = s[at] >= '2'
	if strict && !sure {
		return 0, false, false
	}
	at += 3
	if bracket {
		if at >= len(s) || s[at] != ')' {
			return 0, false, false
		}
		at++
	}
	from := at
	for at < len(s) && at-from < 2 && strings.IndexByte(" -./", s[at]) >= 0 {
		at++
	}
	if at == from && !bracket || !triple(s, at) || strict && s[at] < '2' {
		return 0, false, false
	}
	at += 3
	if at >= len(s) || strings.IndexByte(" -.", s[at]) < 0 {
		return 0, false, false
	}
	at++
	if at+4 > len(s) || endOfDigits(s, at) != at+4 || !closes(s, at+4, ".-") {
		return 0, false, false
	}
	return at + 4, sure, true
}

// triple is a group of exactly three digits.
func triple(s string, i int) bool { return i+3 <= len(s) && endOfDigits(s, i) == i+3 }

// closes says whether a phone number may end at i: it ends, or an extension follows.
func closes(s string, i int, separators string) bool {
	return ends(s, i, separators) || extension(s, i) > i
}

// extension takes " x123" and " ext. 123" along.
func extension(s string, i int) int {
	at := i
	for at < len(s) && at-i < 2 && (s[at] == ' ' || s[at] == ',') {
		at++
	}
	for _, word := range []string{"extension", "ext.", "ext", "x"} {
		if len(s)-at <= len(word) || !strings.EqualFold(s[at:at+len(word)], word) {
			continue
		}
		from := at + len(word)
		if s[from] == ' ' {
			from++
		}
		if to := endOfDigits(s, from); to > from && to-from <= 6 && ends(s, to, ".-/") {
			return to
		}
	}
	return i
}

// otherwise says whether r is a date, two years, two times or a decimal.
func (r *run) otherwise() bool {
	if r.groups == 1 {
		return false
	}
	for g := 1; g < r.groups; g++ {
		if at := r.start(g); r.before[g] == '(' && r.lengths[g] == 4 && isYear(r.digits[at:at+4]) {
			return true
		}
	}
	return r.date() || r.years() || r.times() || r.decimal()
}

// start is which digit the group begins with.
func (r *run) start(group int) int {
	at := 0
	for _, n := range r.lengths[:group] {
		at += int(n)
	}
	return at
}

// value is a group's number.
func (r *run) value(group int) int {
	at, v := r.start(group), 0
	for _, c := range r.digits[at : at+int(r.lengths[group])] {
		v = v*10 + int(c-'0')
	}
	return v
}

// date says whether r begins with a date, of three groups that are divided alike; a
// fourth of the same kind makes it none.
func (r *run) date() bool {
	if r.groups < 3 || r.before[1] != r.before[2] || r.groups > 3 && r.before[3] == r.before[1] {
		return false
	}
	a, b, c := r.lengths[0], r.lengths[1], r.lengths[2]
	day := func(month, day int) bool { return month >= 1 && month <= 12 && day >= 1 && day <= 31 }
	switch {
	case a == 4 && b <= 2 && c <= 2:
		return isYear(r.digits[:4]) && day(r.value(1), r.value(2))
	case a <= 2 && b <= 2 && (c == 2 || c == 4 && isYear(r.digits[a+b:a+b+4])):
		return day(r.value(0), r.value(1)) || day(r.value(1), r.value(0))
	}
	return false
}

// years says whether r is two years.
func (r *run) years() bool {
	return r.groups == 2 && r.lengths[0] == 4 && r.lengths[1] == 4 && isYear(r.digits[:4]) && isYear(r.digits[4:8])
}

func isYear(d []byte) bool {
	return d[0] == '1' && (d[1] == '8' || d[1] == '9') || d[0] == '2' && d[1] == '0'
}

// times says whether r is two times of day, 1400-1530.
func (r *run) times() bool {
	if r.groups != 2 || r.lengths[0] != 4 || r.lengths[1] != 4 || r.before[1] != '-' {
		return false
	}
	for g := range 2 {
		if v := r.value(g); v >= 2400 || v%100%15 != 0 || v%100 > 45 {
			return false
		}
	}
	return true
}

// decimal says whether r begins with a number and its fraction; ddd.dddd is none.
func (r *run) decimal() bool {
	return r.groups > 1 && r.before[1] == '.' && (r.groups == 2 || r.before[2] != '.') && (r.lengths[0] != 3 || r.lengths[1] != 4)
}

// pages says whether r goes from one page to a later one.
func (r *run) pages() bool {
	return r.groups == 2 && r.before[1] == '-' && r.lengths[0] == r.lengths[1] && r.value(0) < r.value(1)
}

// isbn says whether r is a book's number: ten digits, of which the last stands for itself
// and checks the others.
func (r *run) isbn() bool {
	if r.n != 10 || r.groups < 3 || r.lengths[r.groups-1] != 1 {
		return false
	}
	sum := 0
	for i, c := range r.digits[:10] {
		sum += (10 - i) * int(c-'0')
	}
	return sum%11 == 0
}
