package rules

import (
	"maps"
	"testing"

	"github.com/millrace-io/millrace/schemas"
)

func TestRedactValue(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"card":4111111111111111,"tel":12125550187}`, `{"card":"<CARD>","tel":"<PHONE>"}`},
		{`{"phone_number": "4155552671", "homePhone":4155552671, "phones":[4155552671, 4155552672], "n":4155552671}`,
			`{"phone_number": "<PHONE>", "homePhone":"<PHONE>", "phones":["<PHONE>", "<PHONE>"], "n":4155552671}`},
		{`{"phone":{"home":4155552671},"calls":1234567,"cell_count":1234567,"tokens":1234567}`,
			`{"phone":{"home":"<PHONE>"},"calls":1234567,"cell_count":1234567,"tokens":1234567}`},
		{`[{"john@example.com":1.5e3,"ip":"5.9.23.41","version":"12.9.23.141"}]`, `[{"<EMAIL>":1.5e3,"ip":"<IP>","version":"12.9.23.141"}]`},
		{`{"a":"jo\u200be@example.com","b":"jo` + "\u200b" + `e@example.com & \"x\""}`, `{"a":"<EMAIL>","b":"<EMAIL> & \"x\""}`},
		{`{"phone":null,"x":1234567,"tel":-1234567}`, `{"phone":null,"x":1234567,"tel":-1234567}`},
		{"{not json joe@example.com", "{not json <EMAIL>"},
		{"jo\u200be@example.com\n  code()", "<EMAIL>\n  code()"},
	} {
		got := redactValue(c.in)
		if got != c.want {
			t.Errorf("redactValue(%s)\n got %s\nwant %s", c.in, got, c.want)
		}
		if again := redactValue(got); again != got {
			t.Errorf("redactValue(%s) is not stable: %s", c.in, again)
		}
	}
}

func TestRedactMap(t *testing.T) {
	in := map[string]string{"john@example.com": "a", "jane@example.com": "b", "<EMAIL> 2": "kept", "phone": "4155552671", "spam": "ham", "ip": "5.9.23.41"}
	want := map[string]string{"<EMAIL>": "b", "<EMAIL> 2": "kept", "<EMAIL> 3": "a", "phone": "<PHONE>", "spam": "ham", "ip": "<IP>"}
	got := redactMap(in, nil)
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if again := redactMap(got, nil); !maps.Equal(again, want) {
		t.Errorf("again %v, want %v", again, want)
	}
}

// TestLabelsStayEqual checks that a label is redacted as the prediction that it is held
// against, and that names of classes do not change.
func TestLabelsStayEqual(t *testing.T) {
	r, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string]string{
		"spam": "spam", "ham": "ham", "tel": "tel", "call 911": "call 911", "class_1234567": "class_1234567", "en-GB": "en-GB",
		"joe@example.com": "<EMAIL>", "jo\u200be@example.com": "<EMAIL>", "+49 30 901820": "<PHONE>",
	} {
		text := schemas.Text{Text: "a text", Label: label}
		var clean schemas.CleanText
		r.Text(&text, &clean)
		inference := schemas.Inference{Prediction: label}
		r.Inference(&inference)
		feedback := schemas.Feedback{Label: label}
		r.Feedback(&feedback)
		if clean.Label != want || inference.Prediction != want || feedback.Label != want {
			t.Errorf("%q: text %q, inference %q, feedback %q, want %q", label, clean.Label, inference.Prediction, feedback.Label, want)
		}
	}
}

func TestFreeFields(t *testing.T) {
	r, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	const who = "joe@example.com"
	i := schemas.Inference{PromptName: who, ErrorType: who, ToolDefinitions: `{"x":"` + who + `"}`, RequestStopSequences: []string{who}, Attributes: map[string]string{who: who}}
	r.Inference(&i)
	if i.PromptName != tagEmail || i.ErrorType != tagEmail || i.ToolDefinitions != `{"x":"<EMAIL>"}` || i.RequestStopSequences[0] != tagEmail || i.Attributes[tagEmail] != tagEmail {
		t.Errorf("an address is left in %+v", i)
	}
	f := schemas.Feedback{Name: who, Comment: "jo\u200be@example.com", Correction: who}
	r.Feedback(&f)
	if f.Name != tagEmail || f.Comment != tagEmail || f.Correction != tagEmail {
		t.Errorf("an address is left in %+v", f)
	}
}

func TestDetail(t *testing.T) {
	for in, want := range map[string]string{
		"unknown_field: joe@example.com: no such field":   "unknown_field: <EMAIL>: no such field",
		"unknown_field: a_joe.smith@exam: no such field":  "unknown_field: <EMAIL>: no such field",
		"unknown_field: tetx: the nearest is \"text\"":    "unknown_field: tetx: the nearest is \"text\"",
		"unknown_field: +49 30 901820: no such field @ 3": "unknown_field: <PHONE>: no such field @ 3",
	} {
		if got := Detail(in); got != want {
			t.Errorf("Detail(%q) = %q, want %q", in, got, want)
		}
	}
}
