package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"
)

const notText = "caf\xe9" // Latin-1

// spoil puts what is not UTF-8 into every field of a struct that holds text, one after
// the other, and calls f while it is there.
func spoil(v reflect.Value, f func()) {
	for i := range v.NumField() {
		field := v.Field(i)
		var bad []any
		switch field.Interface().(type) {
		case Envelope:
			spoil(field, f)
		case string:
			bad = []any{notText}
		case []string:
			bad = []any{[]string{"a", notText}}
		case map[string]string:
			bad = []any{map[string]string{"a": notText}, map[string]string{notText: "a"}}
		case map[string]int64:
			bad = []any{map[string]int64{notText: 1}}
		case map[string]float64:
			bad = []any{map[string]float64{notText: 1}}
		}
		good := reflect.ValueOf(field.Interface())
		for _, b := range bad {
			field.Set(reflect.ValueOf(b))
			f()
			field.Set(good)
		}
	}
}

// TestValidateUTF8 checks every field that holds text, of every kind, against what the
// readers say: what Validate lets pass, a reader takes.
func TestValidateUTF8(t *testing.T) {
	for _, k := range Kinds() {
		m, fields := filled(k), 0
		if err := m.Validate(); err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		spoil(reflect.ValueOf(m).Elem(), func() {
			fields++
			var f *FieldError
			err := m.Validate()
			if !errors.As(err, &f) || f.Class != ClassInvalidField || f.Problem != "is not UTF-8" {
				t.Errorf("%s: Validate of %s gave %v", k, m.AppendJSON(nil), err)
				return
			}
			var object map[string]json.RawMessage
			if err := json.Unmarshal(m.AppendJSON(nil), &object); err != nil {
				t.Fatal(err)
			}
			if !bytes.ContainsRune(object[f.Field], utf8.RuneError) {
				t.Errorf("%s: Validate names %s, which holds %s", k, f.Field, object[f.Field])
			}
			if err := New(k).Unmarshal(m.MarshalAppend(nil)); err == nil {
				t.Errorf("%s: Unmarshal takes %s, which Validate refuses", k, f.Field)
			}
		})
		if fields < 10 {
			t.Errorf("%s: only %d fields hold text", k, fields)
		}
	}
}
