package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

func TestVerdicts(t *testing.T) {
	r, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	now := schemas.MicrosOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		in   schemas.Text
		rule string
	}{
		{schemas.Text{Text: "A plain sentence of some length."}, ""},
		{schemas.Text{Text: "ok"}, ""},
		{schemas.Text{Text: " \u200b\n"}, RuleEmpty},
		{schemas.Text{Text: strings.Repeat("word ", 300_000)}, RuleTooLong},
		{schemas.Text{Text: strings.Repeat("=-", 40)}, RuleSymbols},
		{schemas.Text{Text: strings.Repeat("the same line again\n", 40)}, RuleRepetition},
		{schemas.Text{Data: []byte(strings.Repeat("\x00\x01\x02a", 50))}, RuleEncoding},
		{schemas.Text{Envelope: schemas.Envelope{EventTime: schemas.MicrosOf(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))}, Text: "from the future"}, RuleFuture},
	} {
		out := schemas.CleanText{Envelope: schemas.Envelope{ArrivedAt: now}}
		v := r.Text(&c.in, &out)
		if v.Rule != c.rule {
			t.Errorf("%.40q: rule %q (%s), want %q", c.in.Text, v.Rule, v.Detail, c.rule)
		}
		if v.Clean() != (out.Text != "") || out.RulesVersion != r.Version() {
			t.Errorf("%.40q: text %.20q under verdict %q", c.in.Text, out.Text, v.Rule)
		}
	}
}

// TestVersion checks that a change of the configuration is another version.
func TestVersion(t *testing.T) {
	a, _ := New(DefaultConfig())
	cfg := DefaultConfig()
	cfg.MinCharacters++
	b, err := New(cfg)
	if err != nil || a.Version() == b.Version() {
		t.Fatalf("versions %s and %s, %v", a.Version(), b.Version(), err)
	}
}

func BenchmarkText(b *testing.B) {
	r, err := New(DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	in := schemas.Text{Text: strings.Repeat("Please write to jane@example.org or call (415) 555-2671 before Friday, thank you very much indeed. ", 20)}
	b.SetBytes(int64(len(in.Text)))
	b.ReportAllocs()
	var out schemas.CleanText
	for b.Loop() {
		r.Text(&in, &out)
	}
}
