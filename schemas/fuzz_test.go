package schemas

import (
	"bytes"
	"errors"
	"testing"
)

// What decodes is encoded and decoded to the same again, in both forms; what does not
// gives a *FieldError whose detail can be kept as Protobuf.

func checkDecoded(t *testing.T, m Message, err error) {
	t.Helper()
	if err != nil {
		f, ok := errors.AsType[*FieldError](err)
		if !ok || f.Class == "" || f.Problem == "" {
			t.Fatalf("the error is %#v", err)
		}
		letter := &DeadLetter{Reason: f.Class, Detail: f.Error()}
		if err := new(DeadLetter).Unmarshal(letter.MarshalAppend(nil)); err != nil {
			t.Fatalf("a dead letter of %q: %v", f.Error(), err)
		}
		return
	}
	proto := m.MarshalAppend(nil)
	if m.Size() != len(proto) {
		t.Fatalf("Size is %d, MarshalAppend appended %d", m.Size(), len(proto))
	}
	again := New(m.Kind())
	if err := again.Unmarshal(proto); err != nil {
		t.Fatalf("Unmarshal of what was marshalled: %v", err)
	}
	if b := again.MarshalAppend(nil); !bytes.Equal(b, proto) {
		t.Fatalf("Protobuf\n got %x\nwant %x", b, proto)
	}
	text := m.AppendJSON(nil)
	if err := again.DecodeJSON(text); err != nil {
		t.Fatalf("DecodeJSON of %s: %v", text, err)
	}
	e := m.Env()
	e.ContentHash, e.RulesVersion, e.ArrivedAt, e.ReplayOf = "", "", 0, "" // computed: not read from JSON
	if b, want := again.AppendJSON(nil), m.AppendJSON(nil); !bytes.Equal(b, want) {
		t.Fatalf("JSON\n got %s\nwant %s", b, want)
	}
}

func fuzzJSON(f *testing.F, k Kind) {
	f.Add([]byte(`{}`))
	f.Add(filled(k).AppendJSON(nil))
	f.Add([]byte(`{"id":"\u00e9\ud83d\ude00\\","time":1719792000.5,"attributes":{"a":[1,{"b":null}],"":"x"},"rating":-0.0}`))
	f.Add([]byte(`{"model":"m","input":[{"role":"user", "content":"\n"}],"request_seed":"12","request_stop_sequences":["a",""]}`))
	f.Add([]byte(`{"data":"AA==","text":"` + "\xff" + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		input := bytes.Clone(b)
		m := New(k)
		err := m.DecodeJSON(b)
		if !bytes.Equal(b, input) {
			t.Fatal("the input was written to")
		}
		checkDecoded(t, m, err)
	})
}

func FuzzDecodeJSONText(f *testing.F)      { fuzzJSON(f, KindText) }
func FuzzDecodeJSONInference(f *testing.F) { fuzzJSON(f, KindInference) }
func FuzzDecodeJSONFeedback(f *testing.F)  { fuzzJSON(f, KindFeedback) }

func fuzzProtobuf(f *testing.F, k Kind) {
	f.Add([]byte{})
	f.Add(filled(k).MarshalAppend(nil))
	f.Add([]byte("\x0a\x02\x0a\x00\x0a\x03\x12\x01a\x7a\x00\xfa\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		input := bytes.Clone(b)
		m := New(k)
		err := m.Unmarshal(b)
		if !bytes.Equal(b, input) {
			t.Fatal("the input was written to")
		}
		checkDecoded(t, m, err)
	})
}

func FuzzUnmarshalText(f *testing.F)         { fuzzProtobuf(f, KindText) }
func FuzzUnmarshalInference(f *testing.F)    { fuzzProtobuf(f, KindInference) }
func FuzzUnmarshalFeedback(f *testing.F)     { fuzzProtobuf(f, KindFeedback) }
func FuzzUnmarshalModelVersion(f *testing.F) { fuzzProtobuf(f, KindModelVersion) }
func FuzzUnmarshalTrainingExample(f *testing.F) {
	fuzzProtobuf(f, KindTrainingExample)
}

// FuzzUnmarshalAny reads what a reader may find behind the inputs, as an event of any kind.
func FuzzUnmarshalAny(f *testing.F) {
	kinds := Kinds()
	for i, k := range kinds {
		f.Add(byte(i), filled(k).MarshalAppend(nil))
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		m := New(kinds[int(kind)%len(kinds)])
		checkDecoded(t, m, m.Unmarshal(b))
	})
}
