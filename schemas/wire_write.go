package schemas

import (
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The size and put functions come in pairs, one a type of field; the generated code
// calls them with the field's tag (number and wire type). A field without a value takes
// no bytes. A double of -0 is a value, as for other Protobuf implementations.

const envelopeTag = 1<<3 | uint64(protowire.BytesType)

func sizeOfEnvelope(size int) int {
	return protowire.SizeVarint(envelopeTag) + protowire.SizeBytes(size)
}

func putEnvelope(b []byte, size int) []byte {
	return protowire.AppendVarint(protowire.AppendVarint(b, envelopeTag), uint64(size))
}

func sizeString(tag uint64, s string) int {
	if s == "" {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeBytes(len(s))
}

func putString(b []byte, tag uint64, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendVarint(b, tag), s)
}

func sizeBytes(tag uint64, v []byte) int {
	if len(v) == 0 {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeBytes(len(v))
}

func putBytes(b []byte, tag uint64, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendVarint(b, tag), v)
}

func sizeInt64(tag uint64, v int64) int {
	if v == 0 {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeVarint(uint64(v))
}

func putInt64(b []byte, tag uint64, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendVarint(b, tag), uint64(v))
}

func sizeInt32(tag uint64, v int32) int               { return sizeInt64(tag, int64(v)) }
func putInt32(b []byte, tag uint64, v int32) []byte   { return putInt64(b, tag, int64(v)) }
func sizeMicros(tag uint64, v Micros) int             { return sizeInt64(tag, int64(v)) }
func putMicros(b []byte, tag uint64, v Micros) []byte { return putInt64(b, tag, int64(v)) }

func sizeBool(tag uint64, v bool) int {
	if !v {
		return 0
	}
	return protowire.SizeVarint(tag) + 1
}

func putBool(b []byte, tag uint64, v bool) []byte {
	if !v {
		return b
	}
	return append(protowire.AppendVarint(b, tag), 1)
}

func isZero(v float64) bool { return math.Float64bits(v) == 0 }

func sizeDouble(tag uint64, v float64) int {
	if isZero(v) {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeFixed64()
}

func putDouble(b []byte, tag uint64, v float64) []byte {
	if isZero(v) {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendVarint(b, tag), math.Float64bits(v))
}

func sizeOptBool(tag uint64, v *bool) int {
	if v == nil {
		return 0
	}
	return protowire.SizeVarint(tag) + 1
}

func putOptBool(b []byte, tag uint64, v *bool) []byte {
	if v == nil {
		return b
	}
	return protowire.AppendVarint(protowire.AppendVarint(b, tag), protowire.EncodeBool(*v))
}

func sizeOptInt64(tag uint64, v *int64) int {
	if v == nil {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeVarint(uint64(*v))
}

func putOptInt64(b []byte, tag uint64, v *int64) []byte {
	if v == nil {
		return b
	}
	return protowire.AppendVarint(protowire.AppendVarint(b, tag), uint64(*v))
}

func sizeOptDouble(tag uint64, v *float64) int {
	if v == nil {
		return 0
	}
	return protowire.SizeVarint(tag) + protowire.SizeFixed64()
}

func putOptDouble(b []byte, tag uint64, v *float64) []byte {
	if v == nil {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendVarint(b, tag), math.Float64bits(*v))
}

func sizeStrings(tag uint64, v []string) int {
	n := 0
	for _, s := range v {
		n += protowire.SizeVarint(tag) + protowire.SizeBytes(len(s))
	}
	return n
}

func putStrings(b []byte, tag uint64, v []string) []byte {
	for _, s := range v {
		b = protowire.AppendString(protowire.AppendVarint(b, tag), s)
	}
	return b
}

// An entry of a map has its key and its value always, zero or not, and both have tags
// of one byte.
const (
	entryKey         = 1<<3 | uint64(protowire.BytesType)
	entryText        = 2<<3 | uint64(protowire.BytesType)
	entryVarint      = 2<<3 | uint64(protowire.VarintType)
	entryFixed       = 2<<3 | uint64(protowire.Fixed64Type)
	sizeOfEntryTags  = 2
	sortedInPlaceMax = 16 // keys that are sorted without an allocation
)

func sizeMap[V any](tag uint64, m map[string]V, size func(V) int) int {
	n := 0
	for k, v := range m {
		entry := sizeOfEntryTags + protowire.SizeBytes(len(k)) + size(v)
		n += protowire.SizeVarint(tag) + protowire.SizeBytes(entry)
	}
	return n
}

func putMap[V any](b []byte, tag uint64, m map[string]V, size func(V) int, put func([]byte, V) []byte) []byte {
	var room [sortedInPlaceMax]string
	for _, k := range sortedKeys(m, room[:0]) {
		v := m[k]
		entry := sizeOfEntryTags + protowire.SizeBytes(len(k)) + size(v)
		b = protowire.AppendVarint(protowire.AppendVarint(b, tag), uint64(entry))
		b = protowire.AppendString(protowire.AppendVarint(b, entryKey), k)
		b = put(b, v)
	}
	return b
}

func sortedKeys[V any](m map[string]V, keys []string) []string {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sizeText(v string) int   { return protowire.SizeBytes(len(v)) }
func sizeVarint(v int64) int  { return protowire.SizeVarint(uint64(v)) }
func sizeFixed(v float64) int { return protowire.SizeFixed64() }

func putText(b []byte, v string) []byte {
	return protowire.AppendString(protowire.AppendVarint(b, entryText), v)
}

func putVarint(b []byte, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendVarint(b, entryVarint), uint64(v))
}

func putFixed(b []byte, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendVarint(b, entryFixed), math.Float64bits(v))
}

func sizeMapString(tag uint64, m map[string]string) int  { return sizeMap(tag, m, sizeText) }
func sizeMapInt64(tag uint64, m map[string]int64) int    { return sizeMap(tag, m, sizeVarint) }
func sizeMapDouble(tag uint64, m map[string]float64) int { return sizeMap(tag, m, sizeFixed) }

func putMapString(b []byte, tag uint64, m map[string]string) []byte {
	return putMap(b, tag, m, sizeText, putText)
}

func putMapInt64(b []byte, tag uint64, m map[string]int64) []byte {
	return putMap(b, tag, m, sizeVarint, putVarint)
}

func putMapDouble(b []byte, tag uint64, m map[string]float64) []byte {
	return putMap(b, tag, m, sizeFixed, putFixed)
}
