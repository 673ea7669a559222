package schemas

import (
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// jsonReader reads one JSON object for the generated DecodeJSON.
//
// It owns a copy of the input. Escapes are undone and white space is taken out within
// the copy, behind the place where it reads, so that every string it returns lies in
// that one allocation.
//
// The first error is kept. A value that is wrong for its field is skipped, and reading
// goes on: what else the event says of itself helps its dead letter. A fault of syntax
// ends the walk (done).
type jsonReader struct {
	b  []byte
	i  int
	at int // where the key or the value at hand begins
	// depth counts the objects and arrays around the value at hand.
	depth int
	err   *FieldError
	done  bool
}

func newJSONReader(b []byte) jsonReader {
	return jsonReader{b: append(make([]byte, 0, len(b)), b...)}
}

// The generated code walks the members so:
//
//	for key, ok := r.first(); ok; key, ok = r.next() { … }
//	return r.finish()

// first opens the object and reads its first key.
func (r *jsonReader) first() (key string, ok bool) {
	r.space()
	if r.i >= len(r.b) {
		r.syntax("", "there is no JSON object")
		return "", false
	}
	if r.b[r.i] != '{' {
		r.syntax("", "an event is a JSON object")
		return "", false
	}
	r.depth = 1
	return r.firstMember("")
}

func (r *jsonReader) next() (key string, ok bool) { return r.nextMember("") }

// finish checks that nothing comes behind the object.
func (r *jsonReader) finish() error {
	r.space()
	if !r.done && r.i < len(r.b) {
		r.syntax("", "something comes behind the event's object")
	}
	if r.err == nil {
		return nil
	}
	return r.err
}

// unknown records a key that is no field's, and passes over its value.
func (r *jsonReader) unknown(key string, names []string) {
	r.keep(unknownField(key, names, int64(r.at)))
	r.skip("")
}

func (r *jsonReader) keep(err *FieldError) {
	if r.err == nil {
		r.err = err
	}
}

// wrong records that the value at hand does not fit its field.
func (r *jsonReader) wrong(field, problem string) {
	r.keep(&FieldError{ClassInvalidField, field, problem, int64(r.at)})
}

// syntax records that the input is no JSON at byte i, and ends the walk. It goes before
// an error of a field: what is no JSON has no fields.
func (r *jsonReader) syntax(field, problem string) {
	if !r.done {
		r.err = &FieldError{ClassInvalidJSON, field, problem, int64(r.i)}
		r.done = true
		r.i = len(r.b)
	}
}

func (r *jsonReader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// peek moves to the next value and returns its first byte; 0 at the end.
func (r *jsonReader) peek() byte {
	r.space()
	r.at = r.i
	if r.i >= len(r.b) {
		return 0
	}
	return r.b[r.i]
}

func (r *jsonReader) firstMember(field string) (key string, ok bool) {
	r.i++
	if r.peek() == '}' {
		r.i++
		return "", false
	}
	return r.member(field)
}

func (r *jsonReader) nextMember(field string) (key string, ok bool) {
	if r.done {
		return "", false
	}
	switch r.peek() {
	case '}':
		r.i++
		return "", false
	case ',':
		r.i++
		r.peek()
		return r.member(field)
	}
	r.syntax(field, "a comma or the object's end is missing")
	return "", false
}

func (r *jsonReader) member(field string) (key string, ok bool) {
	if r.i >= len(r.b) || r.b[r.i] != '"' {
		r.syntax(field, "a key is missing")
		return "", false
	}
	key = r.text(field)
	if r.done {
		return "", false
	}
	r.space()
	if r.i >= len(r.b) || r.b[r.i] != ':' {
		r.syntax(field, "a colon is missing")
		return "", false
	}
	r.i++
	return key, true
}

// text reads the string at hand, undoing its escapes in place.
func (r *jsonReader) text(field string) string {
	start := r.i + 1
	from, to := start, start
	for {
		end, ascii := plainRun(r.b, from)
		if !ascii && !utf8.Valid(r.b[from:end]) {
			r.i = from + firstInvalidUTF8(r.b[from:end])
			r.syntax(field, "a string is not UTF-8")
			return ""
		}
		if from != to {
			copy(r.b[to:], r.b[from:end])
		}
		to += end - from
		if end >= len(r.b) || r.b[end] < ' ' {
			r.i = end
			r.badString(field)
			return ""
		}
		if r.b[end] == '"' {
			r.i = end + 1
			return unsafe.String(unsafe.SliceData(r.b[start:]), to-start)
		}
		char, size, problem := readEscape(r.b, end)
		if problem != "" {
			r.i = end
			r.syntax(field, problem)
			return ""
		}
		to += utf8.EncodeRune(r.b[to:to+utf8.RuneLen(char)], char)
		from = end + size
	}
}

func (r *jsonReader) badString(field string) {
	if r.i >= len(r.b) {
		r.syntax(field, "a string has no end")
		return
	}
	r.syntax(field, "a control character in a string is not escaped")
}

// number reads the number at hand.
func (r *jsonReader) number(field string) (text string, whole bool) {
	end, whole := numberEnd(r.b, r.i)
	if end == r.i {
		r.syntax(field, "a number is malformed")
		return "", false
	}
	text = unsafe.String(&r.b[r.i], end-r.i)
	r.i = end
	return text, whole
}

// word reads true, false or null at hand; false where it is something else.
func (r *jsonReader) word(w string) bool {
	if len(r.b)-r.i >= len(w) && string(r.b[r.i:r.i+len(w)]) == w {
		r.i += len(w)
		return true
	}
	return false
}

// absent passes over a null: a field that is null is a field that is not there.
func (r *jsonReader) absent() bool { return r.peek() == 'n' && r.word("null") }

// mismatch records that the value at hand is of another type, and passes over it.
func (r *jsonReader) mismatch(field, wants string) {
	at := r.at
	got := r.typeName()
	r.skip(field)
	if !r.done {
		r.at = at
		r.wrong(field, "wants "+wants+", got "+got)
	}
}

func (r *jsonReader) typeName() string {
	switch r.peek() {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// skip passes over a value of any type; it is checked all the same.
func (r *jsonReader) skip(field string) {
	r.space()
	r.compact(field, r.i, r.depth)
}

// raw reads a value of any type as compact JSON text.
func (r *jsonReader) raw(field string) string {
	r.space()
	start := r.i
	end := r.compact(field, start, r.depth)
	return unsafe.String(unsafe.SliceData(r.b[start:]), end-start)
}

// compact checks the value at hand and writes it without white space to b[to:], which
// lies at or before where it reads. It returns the end of what it wrote. depth counts
// the objects and arrays around the value.
func (r *jsonReader) compact(field string, to, depth int) int {
	start := r.i
	switch c := r.byteAtHand(); {
	case c == '{' || c == '[':
		if depth >= maxJSONDepth {
			r.syntax(field, "more than "+strconv.Itoa(maxJSONDepth)+" objects and arrays lie in each other")
			return to
		}
		return r.compactMembers(field, to, depth+1, c)
	case c == '"':
		r.passString(field)
	case c == '-' || c-'0' <= 9:
		r.number(field)
	case !r.word("true") && !r.word("false") && !r.word("null"):
		r.syntax(field, "a value is missing or malformed")
	}
	if r.done {
		return to
	}
	return to + copy(r.b[to:], r.b[start:r.i])
}

func (r *jsonReader) byteAtHand() byte {
	if r.i >= len(r.b) {
		return 0
	}
	return r.b[r.i]
}

// compactMembers is compact for an object or an array, whose first byte is open.
func (r *jsonReader) compactMembers(field string, to, depth int, open byte) int {
	closing := open + 2 // '{' and '}', '[' and ']' are two apart
	put := func(c byte) {
		r.b[to] = c
		to++
		r.i++
	}
	put(open)
	r.space()
	if r.byteAtHand() == closing {
		put(closing)
		return to
	}
	for !r.done {
		if open == '{' {
			to = r.compactKey(field, to)
		}
		if r.done {
			break
		}
		r.space()
		to = r.compact(field, to, depth)
		r.space()
		switch r.byteAtHand() {
		case ',':
			put(',')
			r.space()
		case closing:
			put(closing)
			return to
		default:
			r.syntax(field, "a comma or a closing bracket is missing")
		}
	}
	return to
}

func (r *jsonReader) compactKey(field string, to int) int {
	if r.byteAtHand() != '"' {
		r.syntax(field, "a key is missing")
		return to
	}
	start := r.i
	r.passString(field)
	if r.done {
		return to
	}
	to += copy(r.b[to:], r.b[start:r.i])
	r.space()
	if r.byteAtHand() != ':' {
		r.syntax(field, "a colon is missing")
		return to
	}
	r.b[to] = ':'
	r.i++
	return to + 1
}

// passString checks the string at hand and leaves it as it stands.
func (r *jsonReader) passString(field string) {
	for from := r.i + 1; ; {
		end, ascii := plainRun(r.b, from)
		if !ascii && !utf8.Valid(r.b[from:end]) {
			r.i = from + firstInvalidUTF8(r.b[from:end])
			r.syntax(field, "a string is not UTF-8")
			return
		}
		r.i = end
		if end >= len(r.b) || r.b[end] < ' ' {
			r.badString(field)
			return
		}
		if r.b[end] == '"' {
			r.i++
			return
		}
		_, size, problem := readEscape(r.b, end)
		if problem != "" {
			r.syntax(field, problem)
			return
		}
		from = end + size
	}
}

// exactIn64 bounds the whole numbers that a JSON number with a fraction or an exponent
// may say: all of them are exact in a float64.
const exactIn64 = 1 << 53

// integer reads a whole number in [low, high].
func (r *jsonReader) integer(field string, low, high int64) int64 {
	c := r.peek()
	var text string
	whole := true
	switch {
	case c == '-' || c-'0' <= 9:
		text, whole = r.number(field)
	case c == '"':
		text = r.text(field)
		if end, isWhole := numberEnd([]byte(text), 0); end != len(text) || end == 0 || !isWhole {
			if !r.done {
				r.wrong(field, "wants a whole number, got a string")
			}
			return 0
		}
	default:
		r.mismatch(field, "a whole number")
		return 0
	}
	if r.done {
		return 0
	}
	n, ok := parseWhole(text, whole)
	if !ok || n < low || n > high {
		r.wrong(field, "wants a whole number from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
		return 0
	}
	return n
}

func parseWhole(text string, whole bool) (int64, bool) {
	if whole {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= exactIn64
}
