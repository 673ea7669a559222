package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestJSONNamesOfAField(t *testing.T) {
	want := &Inference{RequestModel: "m", UsageInputTokens: 7, Envelope: Envelope{EventID: "e", Source: "s"}}
	for _, input := range []string{
		`{"event_id":"e","source":"s","request_model":"m","usage_input_tokens":7}`,
		`{"id":"e","service.name":"s","gen_ai.request.model":"m","gen_ai.usage.input_tokens":7}`,
		`{"eventId":"e","source":"s","requestModel":"m","usageInputTokens":7}`,
		`{"eventId":"e","source":"s","model":"m","gen_ai.usage.prompt_tokens":7}`,
		`{"event_\u0069d":"e","source":"s","model":"m","usage_input_tokens":"7"}`,
		` {"event_id" : "e", "source": "x", "source": "s" ,"model":"m","usage_input_tokens":70e-1, "subject":null} `,
	} {
		got := new(Inference)
		if err := got.DecodeJSON([]byte(input)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", input, got, err, want)
		}
	}
}

func TestEveryJSONName(t *testing.T) {
	for _, k := range Kinds() {
		if !k.Input() {
			continue
		}
		m := New(k)
		err := m.DecodeJSON([]byte(`{"no such name":0}`))
		if f, ok := errors.AsType[*FieldError](err); !ok || f.Class != ClassUnknownField {
			t.Fatalf("%s: %v", k, err)
		}
	}
	for _, name := range textNames() {
		err := new(Text).DecodeJSON(fmt.Appendf(nil, `{%q:null}`, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONStrings(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 9)
	for input, want := range map[string]string{
		`""`:                             "",
		`"a"`:                            "a",
		`"a\nb\t\r\f\b\/\\\""`:           "a\nb\t\r\f\b/\\\"",
		`"\u00e9\u20AC\ud83d\ude00 end"`: "é€😀 end",
		`"é€😀"`:                          "é€😀",
		`"\u0000"`:                       "\x00",
		`"` + long + `\n` + long + `"`:   long + "\n" + long,
		`"\\\\\\\\` + long + `"`:         `\\\\` + long,
		"\"\x7f\"":                       "\x7f",
	} {
		m := new(Text)
		if err := m.DecodeJSON([]byte(`{"label":"x","text":` + input + `,"language":"y"}`)); err != nil || m.Text != want || m.Label != "x" || m.Language != "y" {
			t.Errorf("%s: got %q, %q, %q, %v, want %q", input, m.Label, m.Text, m.Language, err, want)
		}
		var standard string
		if err := json.Unmarshal(m.AppendJSON(nil), &struct{ Text *string }{&standard}); err != nil || standard != want {
			t.Errorf("encoding/json reads %q, %v, of %s", standard, err, m.AppendJSON(nil))
		}
	}
}

func TestJSONTimes(t *testing.T) {
	const want = Micros(1_719_792_000_123_456)
	for input, want := range map[string]Micros{
		`"2024-07-01T00:00:00.123456Z"`:         want,
		`"2024-07-01T02:00:00.123456789+02:00"`: want,
		`1719792000.1234567`:                    want,
		`1719792000123.456`:                     want,
		`1719792000123456`:                      want,
		`1719792000123456789`:                   want,
		`1.719792e9`:                            1_719_792_000_000_000,
		`1719792000`:                            1_719_792_000_000_000,
		`-1.5`:                                  -1_500_000,
		`-0.5`:                                  -500_000,
		`0`:                                     0,
		`null`:                                  0,
		`"0001-01-01T00:00:00Z"`:                minMicros,
		`"9999-12-31T23:59:59.999999Z"`:         maxMicros,
		`"3000-01-01T00:00:00Z"`:                32_503_680_000_000_000,
	} {
		m := new(Text)
		if err := m.DecodeJSON([]byte(`{"event_time":` + input + `}`)); err != nil || m.EventTime != want {
			t.Errorf("%s is %d, %v, want %d", input, m.EventTime, err, want)
		}
	}
	for _, input := range []string{
		`"yesterday"`, `"2024-07-01"`, `"0000-12-31T00:00:00Z"`, `"9999-12-31T23:59:59-01:00"`, `1e300`, `-99999999999`,
		`99999999999999999999`, `-9223372036854775809`, `true`, `{}`, `["2024-07-01T00:00:00Z"]`, `"1719792000"`,
	} {
		err := new(Text).DecodeJSON([]byte(`{"event_time":` + input + `}`))
		if f, ok := errors.AsType[*FieldError](err); !ok || f.Class != ClassInvalidField || f.Field != "event_time" || f.Offset != 14 {
			t.Errorf("%s: %v", input, err)
		}
	}
	if err := new(Text).DecodeJSON([]byte(`{"event_time":-9223372036854775808}`)); err != nil {
		t.Errorf("nanoseconds of the year 1677: %v", err)
	}
}

func TestJSONValuesAsText(t *testing.T) {
	for input, want := range map[string]string{
		`"plain"`:   "plain",
		`"[1, 2]"`:  "[1, 2]",
		`[ 1 , 2 ]`: "[1,2]",
		` { "a" : [ true , false , null , "\u00e9 \" x" , -1.5e+3 , { } , [ ] ] , "b":{"c":{}} } `: `{"a":[true,false,null,"\u00e9 \" x",-1.5e+3,{},[]],"b":{"c":{}}}`,
		`12`:   "12",
		`null`: "",
	} {
		m := new(Inference)
		if err := m.DecodeJSON([]byte(`{"model":"m","gen_ai.input.messages":` + input + `,"text_id":"t"}`)); err != nil || m.InputMessages != want || m.TextID != "t" {
			t.Errorf("%s: got %q, %v, want %q", input, m.InputMessages, err, want)
		}
	}
	m := new(Text)
	if err := m.DecodeJSON([]byte(`{"attributes":{"a":"x","b":1,"c":[ 1 ],"d":null,"a":"y"},"label":"l"}`)); err != nil ||
		!reflect.DeepEqual(m.Attributes, map[string]string{"a": "y", "b": "1", "c": "[1]"}) || m.Label != "l" {
		t.Errorf("attributes are %v, %v", m.Attributes, err)
	}
}

func TestJSONBytes(t *testing.T) {
	for _, input := range []string{"+/8=", "+/8", "-_8=", "-_8"} {
		m := new(Text)
		if err := m.DecodeJSON([]byte(`{"data":"` + input + `"}`)); err != nil || string(m.Data) != "\xfb\xff" {
			t.Errorf("%s: %x, %v", input, m.Data, err)
		}
	}
}

func TestComputedFieldsOfJSONAreIgnored(t *testing.T) {
	m := new(Text)
	if err := m.DecodeJSON([]byte(`{"content_hash":"forged","rulesVersion":7,"arrived_at":[{}],"label":"l"}`)); err != nil || !reflect.DeepEqual(m, &Text{Label: "l"}) {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestJSONErrors(t *testing.T) {
	deep := strings.Repeat("[", maxJSONDepth) + strings.Repeat("]", maxJSONDepth)
	for _, c := range []struct {
		input, class, field string
		offset              int64
		problem             string // a part of it
	}{
		{``, ClassInvalidJSON, "", 0, "no JSON object"},
		{`  `, ClassInvalidJSON, "", 2, "no JSON object"},
		{`[]`, ClassInvalidJSON, "", 0, "is a JSON object"},
		{`{`, ClassInvalidJSON, "", 1, "key"},
		{`{"name"`, ClassInvalidJSON, "", 7, "colon"},
		{`{"name":`, ClassInvalidJSON, "name", 8, ""},
		{`{"name":"a"`, ClassInvalidJSON, "", 11, "end is missing"},
		{`{"name":"a",}`, ClassInvalidJSON, "", 12, "key"},
		{`{"name":"a" "b"}`, ClassInvalidJSON, "", 12, "comma"},
		{`{"inference_id":"i"} x`, ClassInvalidJSON, "", 21, "behind"},
		{`{"inference_id":"i"}{}`, ClassInvalidJSON, "", 20, "behind"},
		{`{"name":"a` + "\n" + `"}`, ClassInvalidJSON, "name", 10, "control"},
		{`{"name":"a` + "\xff" + `"}`, ClassInvalidJSON, "name", 10, "UTF-8"},
		{`{"attributes":{"a":["` + "\xe9t\xe9" + `"]}}`, ClassInvalidJSON, "attributes", 21, "UTF-8"},
		{`{"name":"\x"}`, ClassInvalidJSON, "name", 9, "escape"},
		{`{"name":"\u12g4"}`, ClassInvalidJSON, "name", 9, "hex"},
		{`{"name":"\ud83d"}`, ClassInvalidJSON, "name", 9, "surrogate"},
		{`{"name":"\ude00\ud83d"}`, ClassInvalidJSON, "name", 9, "surrogate"},
		{`{"name":"a`, ClassInvalidJSON, "name", 10, "end"},
		{`{"rating":01}`, ClassInvalidJSON, "rating", 10, "number"},
		{`{"rating":1.}`, ClassInvalidJSON, "rating", 10, "number"},
		{`{"rating":-}`, ClassInvalidJSON, "rating", 10, "number"},
		{`{"rating":nul}`, ClassInvalidJSON, "rating", 10, "malformed"},
		{`{"rating":5,"attributes":{"a":` + deep + `}}`, ClassInvalidJSON, "attributes", 92, "64"},
		{`{"attributes":{"a":{"b" 1}}}`, ClassInvalidJSON, "attributes", 24, "colon"},
		{`{"attributes":{"a":{1:1}}}`, ClassInvalidJSON, "attributes", 20, "key"},
		{`{"attributes":{"a":[1 2]}}`, ClassInvalidJSON, "attributes", 22, "comma"},
		{`{"rating":"5"}`, ClassInvalidField, "rating", 10, "wants a number, got a string"},
		{`{"rating":1e999}`, ClassInvalidField, "rating", 10, "too large"},
		{`{"name":5}`, ClassInvalidField, "name", 8, "wants a string, got a number"},
		{`{"name":["a"]}`, ClassInvalidField, "name", 8, "got an array"},
		{`{"attributes":"a"}`, ClassInvalidField, "attributes", 14, "wants an object, got a string"},
		{`{"comment":true,"inference_id":7}`, ClassInvalidField, "comment", 11, "got a boolean"},
		{`{"inferenceid":"i"}`, ClassUnknownField, "inferenceid", 1, `"inference_id"`},
		{`{"zzzzzzzz":"i"}`, ClassUnknownField, "zzzzzzzz", 1, `"attributes"`},
		{`{"` + strings.Repeat("é", 50) + `":1}`, ClassUnknownField, strings.Repeat("é", 32), 1, ""},
		{`{"thumb":"sideways!"}`, ClassTooLarge, "thumb", 9, "limit is 8"},
		{`{"name":"x"}`, ClassMissingField, "inference_id", -1, "required"},
		{`{}`, ClassMissingField, "inference_id", -1, "required"},
	} {
		err := new(Feedback).DecodeJSON([]byte(c.input))
		f, ok := errors.AsType[*FieldError](err)
		if !ok || f.Class != c.class || f.Field != c.field || f.Offset != c.offset || !strings.Contains(f.Problem, c.problem) {
			t.Errorf("%q:\n got %#v\nwant %s of %q at %d: …%s…", c.input, f, c.class, c.field, c.offset, c.problem)
		}
	}
}

func TestNumbersOfJSON(t *testing.T) {
	for input, want := range map[string]int64{
		`0`: 0, `-0`: 0, `9223372036854775807`: 1<<63 - 1, `"-9223372036854775808"`: -1 << 63, `1e3`: 1000, `5.0`: 5,
	} {
		m := new(Inference)
		if err := m.DecodeJSON([]byte(`{"model":"m","request_seed":` + input + `}`)); err != nil || m.RequestSeed == nil || *m.RequestSeed != want {
			t.Errorf("%s: %v, %v, want %d", input, m.RequestSeed, err, want)
		}
	}
	for _, input := range []string{`9223372036854775808`, `5.5`, `1e19`, `"5.0"`, `"+5"`, `" 5"`, `""`, `true`} {
		m := &Inference{}
		err := m.DecodeJSON([]byte(`{"model":"m","request_seed":` + input + `,"text_id":"t"}`))
		if f, ok := errors.AsType[*FieldError](err); !ok || f.Class != ClassInvalidField || f.Field != "request_seed" || m.TextID != "t" {
			t.Errorf("%s: %v, and then %q", input, err, m.TextID)
		}
	}
}

// A dead letter is to name the event: what stands behind a wrong field is read too.
func TestReadingGoesOnBehindAWrongField(t *testing.T) {
	m := new(Text)
	err := m.DecodeJSON([]byte(`{"text":{"a":[1]},"txt":5,"event_id":"e","tenant":"t"}`))
	if f, ok := errors.AsType[*FieldError](err); !ok || f.Field != "text" || m.EventID != "e" || m.Tenant != "t" {
		t.Errorf("%v; the event is %q of %q", err, m.EventID, m.Tenant)
	}
}

func TestDecodedEventsShareNothingWithTheInput(t *testing.T) {
	input := []byte(`{"text":"abc\ndef","data":"AAAA","attributes":{"k":"v"}}`)
	m := new(Text)
	if err := m.DecodeJSON(input); err != nil {
		t.Fatal(err)
	}
	clear(input)
	m.Data = append(m.Data, "overwrites?"...)
	if m.Text != "abc\ndef" || m.Attributes["k"] != "v" {
		t.Errorf("%+v", m)
	}
	b := m.MarshalAppend(nil)
	if err := m.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	clear(b)
	_ = append(m.Data, "overwrites?"...)
	if m.Text != "abc\ndef" || m.Attributes["k"] != "v" || m.Data[0] != 0 {
		t.Errorf("%+v", m)
	}
}
