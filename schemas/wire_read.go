package schemas

import (
	"math"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// wireReader walks the fields of one Protobuf message for the generated Unmarshal.
//
// It owns a copy of the input, never written again, in which all strings that it
// returns lie. The first error ends the walk: behind a fault of the encoding, nothing
// can be told from noise.
type wireReader struct {
	b     []byte
	i     int // the next byte
	end   int // of the message, or of the sub-message that was entered
	start int // of the field at hand, its tag
	num   protowire.Number
	typ   protowire.Type
	err   *FieldError
}

func newWireReader(b []byte) wireReader {
	own := append(make([]byte, 0, len(b)), b...)
	return wireReader{b: own, end: len(own)}
}

// next moves to the next field of the message; false at its end or after an error.
func (w *wireReader) next() bool {
	if w.err != nil || w.i >= w.end {
		return false
	}
	w.start = w.i
	if c := w.b[w.i]; c >= 1<<3 && c < 1<<7 { // most tags are of one byte
		w.i++
		w.num, w.typ = protowire.Number(c>>3), protowire.Type(c&7)
		return true
	}
	num, typ, n := protowire.ConsumeTag(w.b[w.i:w.end])
	if n < 0 {
		w.fail("", "a field's tag cannot be read")
		return false
	}
	w.i += n
	w.num, w.typ = num, typ
	return true
}

// enter limits the walk to the sub-message at hand; leave undoes it.
func (w *wireReader) enter(field string) (outer int) {
	outer = w.end
	n := w.length(field)
	if w.err == nil {
		w.end = w.i + n
	}
	return outer
}

func (w *wireReader) leave(outer int) { w.end = outer }

// skip passes over a field that this version does not know.
func (w *wireReader) skip() {
	if w.typ == protowire.BytesType && w.i < w.end { // most are, and shorter than 128
		if c := int(w.b[w.i]); c < 1<<7 && c < w.end-w.i {
			w.i += 1 + c
			return
		}
	}
	n := protowire.ConsumeFieldValue(w.num, w.typ, w.b[w.i:w.end])
	if n < 0 {
		w.fail("", "a field of an unknown number cannot be skipped")
		return
	}
	w.i += n
}

// finish is the walk's first error.
func (w *wireReader) finish() error {
	if w.err == nil {
		return nil
	}
	return w.err
}

func (w *wireReader) fail(field, problem string) {
	if w.err == nil {
		w.err = &FieldError{ClassInvalidProtobuf, field, problem, int64(w.start)}
	}
}

func (w *wireReader) wants(field string, typ protowire.Type) bool {
	if w.err == nil && w.typ != typ {
		w.fail(field, "has another wire type than the definition")
	}
	return w.err == nil
}

// length reads the length of what comes, and checks that it is there.
func (w *wireReader) length(field string) int {
	if !w.wants(field, protowire.BytesType) {
		return 0
	}
	size, n := protowire.ConsumeVarint(w.b[w.i:w.end])
	if n < 0 || size > uint64(w.end-w.i-n) {
		w.fail(field, "is longer than the message that holds it")
		return 0
	}
	w.i += n
	return int(size)
}

func (w *wireReader) varint(field string) uint64 {
	if !w.wants(field, protowire.VarintType) {
		return 0
	}
	v, n := protowire.ConsumeVarint(w.b[w.i:w.end])
	if n < 0 {
		w.fail(field, "is not a varint")
		return 0
	}
	w.i += n
	return v
}

func (w *wireReader) readString(field string) string {
	b := w.readBytes(field)
	if !utf8.Valid(b) {
		w.fail(field, "is not UTF-8")
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// readBytes returns a piece of the reader's copy with no room behind it: appending to
// it leaves the strings alone.
func (w *wireReader) readBytes(field string) []byte {
	n := w.length(field)
	b := w.b[w.i : w.i+n : w.i+n]
	w.i += n
	return b
}

func (w *wireReader) readDouble(field string) float64 {
	if !w.wants(field, protowire.Fixed64Type) {
		return 0
	}
	v, n := protowire.ConsumeFixed64(w.b[w.i:w.end])
	if n < 0 {
		w.fail(field, "is cut short")
		return 0
	}
	w.i += n
	return math.Float64frombits(v)
}

func (w *wireReader) readBool(field string) bool     { return w.varint(field) != 0 }
func (w *wireReader) readInt32(field string) int32   { return int32(w.varint(field)) }
func (w *wireReader) readInt64(field string) int64   { return int64(w.varint(field)) }
func (w *wireReader) readMicros(field string) Micros { return Micros(w.varint(field)) }

func (w *wireReader) readOptBool(field string) *bool      { return new(w.readBool(field)) }
func (w *wireReader) readOptInt64(field string) *int64    { return new(w.readInt64(field)) }
func (w *wireReader) readOptDouble(field string) *float64 { return new(w.readDouble(field)) }

func (w *wireReader) readStrings(field string, to []string) []string {
	return append(to, w.readString(field))
}

func (w *wireReader) readMapString(field string, to map[string]string) map[string]string {
	return readEntry(w, field, to)
}

func (w *wireReader) readMapInt64(field string, to map[string]int64) map[string]int64 {
	return readEntry(w, field, to)
}

func (w *wireReader) readMapDouble(field string, to map[string]float64) map[string]float64 {
	return readEntry(w, field, to)
}

// readEntry reads one entry of a map: a message of a key, number 1, and a value,
// number 2, either of which may be absent. (The readers of values are no function
// values: those would move w to the heap.)
func readEntry[V string | int64 | float64](w *wireReader, field string, to map[string]V) map[string]V {
	var k string
	var v V
	outer := w.enter(field)
	for w.next() {
		switch w.num {
		case 1:
			k = w.readString(field)
		case 2:
			switch v := any(&v).(type) {
			case *string:
				*v = w.readString(field)
			case *int64:
				*v = w.readInt64(field)
			case *float64:
				*v = w.readDouble(field)
			}
		default:
			w.skip()
		}
	}
	w.leave(outer)
	if w.err != nil {
		return to
	}
	if to == nil {
		to = make(map[string]V)
	}
	to[k] = v
	return to
}
