package schemas

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/millrace-io/millrace/schemas/internal/sample"
)

// filled is a message of the kind with a value in every field.
func filled(k Kind) Message {
	m := New(k)
	sample.Fill(m, 1)
	return m
}

func TestProtobufRoundTrip(t *testing.T) {
	for _, k := range Kinds() {
		for _, want := range []Message{New(k), filled(k)} {
			b := want.MarshalAppend([]byte("before"))[len("before"):]
			if want.Size() != len(b) {
				t.Errorf("%s: Size is %d, MarshalAppend appended %d", k, want.Size(), len(b))
			}
			got := filled(k)
			if err := got.Unmarshal(b); err != nil && missing(err) == "" {
				t.Errorf("%s: Unmarshal: %v", k, err)
			}
			clear(b)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n got %+v\nwant %+v", k, got, want)
			}
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, k := range Kinds() {
		want := filled(k)
		e := want.Env()
		e.ContentHash, e.RulesVersion, e.ArrivedAt, e.ReplayOf = "", "", 0, "" // computed: not read from JSON
		b := want.AppendJSON(nil)
		text := bytes.Clone(b)
		got := filled(k)
		if err := got.DecodeJSON(b); err != nil {
			t.Errorf("%s: DecodeJSON(%s): %v", k, text, err)
		}
		clear(b)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", k, got, want)
		}
	}
}

// missing is the field that err says is missing.
func missing(err error) string {
	var f *FieldError
	if errors.As(err, &f) && f.Class == ClassMissingField {
		return f.Field
	}
	return ""
}

func TestNewKnowsKindsAndClaims(t *testing.T) {
	for _, k := range Kinds() {
		if got := New(k).Kind(); got != k {
			t.Errorf("New(%s) is a %s", k, got)
		}
	}
	for claim, of := range map[Kind]Kind{
		KindModelVersionClaim: KindModelVersion, KindTrainingRunClaim: KindTrainingRun, KindModelCommandClaim: KindModelCommand,
	} {
		if got, ok := claim.Claim(); !ok || got != of || New(claim).Kind() != of {
			t.Errorf("%s.Claim() is %s, %v", claim, got, ok)
		}
	}
	if _, ok := Kind("text_claim").Claim(); ok || New("text_claim") != nil || New("nothing") != nil {
		t.Error("there are messages of kinds that are not defined")
	}
}
