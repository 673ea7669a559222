package rules

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// redactValue redacts a text, or the strings and numbers within a JSON value, which stays
// one. What a value's name says of it counts: 12125550187 is a phone's number under "tel".
func redactValue(s string) string {
	s = visible(s)
	t := strings.TrimLeft(s, " \t\r\n")
	if t == "" || t[0] != '{' && t[0] != '[' || !json.Valid([]byte(s)) {
		return redact(s, nil)
	}
	var (
		b     strings.Builder
		kept  int    // what of s is in b
		outer []hint // of the containers around the innermost, which is inner
		inner hint   // what the innermost container's name says
		name  hint   // what the name of the value at hand says
		next  string // a key that is waiting for its colon
	)
	replace := func(from, to int, by string) {
		if b.Len() == 0 {
			b.Grow(len(s))
		}
		b.WriteString(s[kept:from])
		b.WriteString(by)
		kept = to
	}
	for i := 0; i < len(s); { // it is valid JSON: strings and numbers end, brackets match
		switch c := s[i]; {
		case c == '"':
			end := stringEnd(s, i)
			literal := s[i:end]
			if clean := redactQuoted(literal, name); clean != literal {
				replace(i, end, clean)
			}
			next, i = literal[1:len(literal)-1], end
		case c == ':':
			if name = keyHint(next); name == 0 {
				name = inner // {"phone": {"home": …}}
			}
			i++
		case c == ',':
			name = inner
			i++
		case c == '{' || c == '[':
			outer = append(outer, inner)
			inner = name
			i++
		case c == '}' || c == ']':
			inner = outer[len(outer)-1]
			outer = outer[:len(outer)-1]
			i++
		case isDigit(c) || c == '-':
			end := i + 1
			for end < len(s) && strings.IndexByte("0123456789+-.eE", s[end]) >= 0 {
				end++
			}
			if tag := literalTag(s[i:end], name); tag != "" {
				replace(i, end, `"`+tag+`"`)
			}
			i = end
		default:
			i++
		}
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// stringEnd is where the string that begins at i, a valid one, has ended.
func stringEnd(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// literalTag is the tag that stands for a JSON number, "" where it may stay.
func literalTag(literal string, name hint) string {
	if endOfDigits(literal, 0) != len(literal) || len(literal) > 19 {
		return "" // a fraction or below nothing
	}
	if cardNumber([]byte(literal)) {
		return tagCard
	}
	if name == hintPhone && len(literal) >= 7 && len(literal) <= 15 {
		return tagPhone
	}
	return ""
}

// redactQuoted redacts a JSON string literal.
func redactQuoted(literal string, name hint) string {
	if strings.IndexByte(literal, '\\') < 0 {
		inner := literal[1 : len(literal)-1]
		if clean := redactBehind(inner, name, nil); clean != inner {
			return `"` + clean + `"`
		}
		return literal
	}
	var text string
	if err := json.Unmarshal([]byte(literal), &text); err != nil {
		return literal
	}
	clean := redactRaw(text, name, nil)
	if clean == text {
		return literal
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a tag is read as it is written
	if err := e.Encode(clean); err != nil {
		return literal
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// redactMap redacts values, by what their names say, and the names. Where names become
// the same, all but the first, in their order, get a number.
func redactMap(in map[string]string, counts map[string]int64) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	var personal []string
	for k, v := range in {
		v = redactRaw(v, keyHint(k), counts)
		if redactRaw(k, 0, nil) != k {
			personal = append(personal, k)
			continue
		}
		out[k] = v
	}
	slices.Sort(personal)
	given := map[string]int{}
	for _, k := range personal {
		name := redactRaw(k, 0, counts)
		free, taken := name, true
		for taken {
			if given[name]++; given[name] > 1 {
				free = name + " " + strconv.Itoa(given[name])
			}
			_, taken = out[free]
		}
		out[free] = redactRaw(in[k], keyHint(k), nil)
	}
	return out
}
