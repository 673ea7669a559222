package schemas

import "unicode/utf8"

// What the generated Validate calls, one function a type of field that holds text: a
// program may put any bytes into a string, and both readers refuse what is not UTF-8.

func validString(s string) bool { return utf8.ValidString(s) }

func validStrings(all []string) bool {
	for _, s := range all {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

func validMapString(m map[string]string) bool {
	for k, v := range m {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return false
		}
	}
	return true
}

func validMapInt64(m map[string]int64) bool { return validKeys(m) }

func validMapDouble(m map[string]float64) bool { return validKeys(m) }

func validKeys[V any](m map[string]V) bool {
	for k := range m {
		if !utf8.ValidString(k) {
			return false
		}
	}
	return true
}
