package schemas

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
)

// What the generated DecodeJSON calls, one function a type of field. field is the
// canonical name, for errors; limit is in bytes, 0 for none.

func (r *jsonReader) readString(field string, limit int) string {
	if r.absent() {
		return ""
	}
	if r.peek() != '"' {
		r.mismatch(field, "a string")
		return ""
	}
	return r.bounded(field, r.text(field), limit)
}

func (r *jsonReader) bounded(field, s string, limit int) string {
	if limit > 0 && len(s) > limit {
		r.tooLarge(field, limit, len(s))
		return ""
	}
	return s
}

func (r *jsonReader) tooLarge(field string, limit, size int) {
	err := tooLarge(field, limit, size)
	err.Offset = int64(r.at)
	r.keep(err)
}

// readJSON reads a string as it is, and any other value as compact JSON text.
func (r *jsonReader) readJSON(field string, limit int) string {
	if r.absent() {
		return ""
	}
	if r.peek() == '"' {
		return r.readString(field, limit)
	}
	return r.bounded(field, r.raw(field), limit)
}

// readBytes reads base64 of either alphabet, padded or not.
func (r *jsonReader) readBytes(field string, limit int) []byte {
	if r.absent() {
		return nil
	}
	if r.peek() != '"' {
		r.mismatch(field, "a string in base64")
		return nil
	}
	s := strings.TrimRight(r.text(field), "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	data, err := encoding.DecodeString(s)
	if err != nil {
		r.wrong(field, "is not base64")
		return nil
	}
	if limit > 0 && len(data) > limit {
		r.tooLarge(field, limit, len(data))
		return nil
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

func (r *jsonReader) readBool(field string) bool {
	switch {
	case r.absent(), r.word("false"):
		return false
	case r.word("true"):
		return true
	}
	r.mismatch(field, "true or false")
	return false
}

func (r *jsonReader) readInt32(field string) int32 {
	if r.absent() {
		return 0
	}
	return int32(r.integer(field, math.MinInt32, math.MaxInt32))
}

func (r *jsonReader) readInt64(field string) int64 {
	if r.absent() {
		return 0
	}
	return r.integer(field, math.MinInt64, math.MaxInt64)
}

func (r *jsonReader) readDouble(field string) float64 {
	if r.absent() {
		return 0
	}
	if c := r.peek(); c != '-' && c-'0' > 9 {
		r.mismatch(field, "a number")
		return 0
	}
	text, _ := r.number(field)
	if r.done {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.wrong(field, "the number is too large")
		return 0
	}
	return f
}

func (r *jsonReader) readMicros(field string) Micros {
	if r.absent() {
		return 0
	}
	var m Micros
	var problem string
	switch c := r.peek(); {
	case c == '"':
		m, problem = parseRFC3339(r.text(field))
	case c == '-' || c-'0' <= 9:
		text, _ := r.number(field)
		if r.done {
			return 0
		}
		m, problem = parseEpoch(text)
	default:
		r.mismatch(field, "a time")
		return 0
	}
	if problem != "" && !r.done {
		r.wrong(field, problem)
		return 0
	}
	return m
}

func (r *jsonReader) readOptBool(field string) *bool {
	if r.absent() {
		return nil
	}
	return new(r.readBool(field))
}

func (r *jsonReader) readOptInt64(field string) *int64 {
	if r.absent() {
		return nil
	}
	return new(r.readInt64(field))
}

func (r *jsonReader) readOptDouble(field string) *float64 {
	if r.absent() {
		return nil
	}
	return new(r.readDouble(field))
}

func (r *jsonReader) readStrings(field string) []string {
	if r.absent() {
		return nil
	}
	if r.peek() != '[' {
		r.mismatch(field, "an array of strings")
		return nil
	}
	r.i++
	if r.peek() == ']' {
		r.i++
		return nil
	}
	var all []string
	for {
		if r.peek() == '"' {
			all = append(all, r.text(field))
		} else {
			r.mismatch(field, "an array of strings")
		}
		if r.done {
			return nil
		}
		switch r.peek() {
		case ',':
			r.i++
		case ']':
			r.i++
			return all
		default:
			r.syntax(field, "a comma or the array's end is missing")
			return nil
		}
	}
}

// readMapString takes a string as it is, and any other value as compact JSON text:
// attributes are the client's, and SQL reads either.
func (r *jsonReader) readMapString(field string) map[string]string {
	return readMap[string](r, field)
}

func (r *jsonReader) readMapInt64(field string) map[string]int64 {
	return readMap[int64](r, field)
}

func (r *jsonReader) readMapDouble(field string) map[string]float64 {
	return readMap[float64](r, field)
}

// readMap reads an object; a member that is null is left out. (The readers of values
// are no function values: those would move r to the heap.)
func readMap[V string | int64 | float64](r *jsonReader, field string) map[string]V {
	if r.absent() {
		return nil
	}
	if r.peek() != '{' {
		r.mismatch(field, "an object")
		return nil
	}
	r.depth++
	defer func() { r.depth-- }()
	var all map[string]V
	for key, ok := r.firstMember(field); ok; key, ok = r.nextMember(field) {
		if r.absent() {
			continue
		}
		var v V
		switch v := any(&v).(type) {
		case *string:
			*v = r.readJSON(field, 0)
		case *int64:
			*v = r.readInt64(field)
		case *float64:
			*v = r.readDouble(field)
		}
		if all == nil {
			all = make(map[string]V)
		}
		all[key] = v
	}
	return all
}
