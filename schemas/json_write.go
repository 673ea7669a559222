package schemas

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// What the generated AppendJSON calls, one function a type of field. key is the field's
// name with its quotes and its colon. A field without a value is left out.

// member begins a member of the object that b ends in.
func member(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(b, key...)
}

func jsonString(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return quote(member(b, key), s)
}

func jsonBytes(b []byte, key string, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	b = append(member(b, key), '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

func jsonBool(b []byte, key string, v bool) []byte {
	if !v {
		return b
	}
	return append(member(b, key), "true"...)
}

func jsonInt32(b []byte, key string, v int32) []byte { return jsonInt64(b, key, int64(v)) }

func jsonInt64(b []byte, key string, v int64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendInt(member(b, key), v, 10)
}

func jsonDouble(b []byte, key string, v float64) []byte {
	if isZero(v) || !finite(v) {
		return b
	}
	return number(member(b, key), v)
}

func jsonMicros(b []byte, key string, v Micros) []byte {
	if v == 0 {
		return b
	}
	b = append(member(b, key), '"')
	return append(v.append(b), '"')
}

func jsonOptBool(b []byte, key string, v *bool) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendBool(member(b, key), *v)
}

func jsonOptInt64(b []byte, key string, v *int64) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendInt(member(b, key), *v, 10)
}

func jsonOptDouble(b []byte, key string, v *float64) []byte {
	if v == nil || !finite(*v) {
		return b
	}
	return number(member(b, key), *v)
}

func jsonStrings(b []byte, key string, v []string) []byte {
	if len(v) == 0 {
		return b
	}
	b = append(member(b, key), '[')
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, s)
	}
	return append(b, ']')
}

func jsonMapString(b []byte, key string, m map[string]string) []byte {
	return jsonMap(b, key, m, quote)
}

func jsonMapInt64(b []byte, key string, m map[string]int64) []byte {
	return jsonMap(b, key, m, func(b []byte, v int64) []byte { return strconv.AppendInt(b, v, 10) })
}

func jsonMapDouble(b []byte, key string, m map[string]float64) []byte {
	return jsonMap(b, key, m, func(b []byte, v float64) []byte {
		if !finite(v) {
			return append(b, "null"...)
		}
		return number(b, v)
	})
}

func jsonMap[V any](b []byte, key string, m map[string]V, value func([]byte, V) []byte) []byte {
	if len(m) == 0 {
		return b
	}
	b = append(member(b, key), '{')
	var room [sortedInPlaceMax]string
	for i, k := range sortedKeys(m, room[:0]) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, k), ':')
		b = value(b, m[k])
	}
	return append(b, '}')
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// number appends v in the shortest form that reads back the same.
func number(b []byte, v float64) []byte {
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(b, v, form, -1, 64)
}

const hexDigits = "0123456789abcdef"

// quote appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD: what is
// appended is always JSON.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		end, ascii := plainRun([]byte(s), i)
		if ascii {
			b = append(b, s[i:end]...)
		} else {
			b = appendValid(b, s[i:end])
		}
		if end < len(s) {
			b = appendEscape(b, s[end])
			end++
		}
		i = end
	}
	return append(b, '"')
}

func appendValid(b []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(b, s...)
	}
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return b
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
