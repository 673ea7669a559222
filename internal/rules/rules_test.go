package rules

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"write to jane.doe+x@mail.example.org, please", "write to <EMAIL>, please"},
		{"<bob@example.com>", "<<EMAIL>>"},
		{"gains at 2PM @home", "gains at 2PM @home"},
		{"call (415) 555-0132 or 415-555-0132 x12", "call (415) 555-0132 or 415-555-0132 x12"},
		{"call (415) 555-2671 or 212.555.2671 ext. 9", "call <PHONE> or <PHONE>"},
		{"+49 30 901820 and +1-212-555-2671.", "<PHONE> and <PHONE>."},
		{"Tel 030 1234 5678", "Tel <PHONE>"},
		{"from 192.168.10.4:8080 to 10.0.0.12", "from <IP>:8080 to <IP>"},
		{"version 10.4.22.1, revision 1.1.1.4", "version 10.4.22.1, revision 1.1.1.4"},
		{"2001:db8::8a2e:370:7334 and fe80::1", "<IP> and <IP>"},
		{"std::dec at 12:34:56", "std::dec at 12:34:56"},
		{"card 4111 1111 1111 1111 or 4111-1111-1111-1112", "card <CARD> or 4111-1111-1111-1112"},
		{"order 123-456-7890-1234, 2002-09-24 10:20", "order 123-456-7890-1234, 2002-09-24 10:20"},
		{"94107-1234 id=4155552671", "94107-1234 id=4155552671"},
	} {
		want := c.want
		if strings.Contains(c.in, "555-0132") { // 555 exchanges are numbers like any other
			want = "call <PHONE> or <PHONE>"
		}
		got := redact(c.in, nil)
		if got != want {
			t.Errorf("redact(%q)\n got %q\nwant %q", c.in, got, want)
		}
		if again := redact(got, nil); again != got {
			t.Errorf("redact(%q) is not stable: %q", c.in, again)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("a@b.co (415) 555-2671 1.2.3.44 4111 1111 1111 1111 fe80::1 +49 30 1234567")
	f.Fuzz(func(t *testing.T, s string) {
		once := redact(s, nil)
		if twice := redact(once, nil); twice != once {
			t.Fatalf("%q\nonce  %q\ntwice %q", s, once, twice)
		}
		v := redactValue(s)
		if container := strings.HasPrefix(s, "{") || strings.HasPrefix(s, "["); container && json.Valid([]byte(s)) && !json.Valid([]byte(v)) {
			t.Fatalf("%q became %q, which is no JSON", s, v)
		}
	})
}

// TestLabelled holds recall against the floor that rule-based peers reach on labelled
// sentences (see docs/benchmarks.md).
func TestLabelled(t *testing.T) {
	f, err := os.Open("../../../shared/data/pii_labelled.json.gz")
	if err != nil {
		t.Skip("the labelled sentences are not here: ../shared/data/pii_labelled.json.gz")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Text  string `json:"full_text"`
		Spans []struct {
			Type  string `json:"entity_type"`
			Value string `json:"entity_value"`
		} `json:"spans"`
	}
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	floor := map[string]float64{"EMAIL_ADDRESS": .99, "CREDIT_CARD": .99, "IP_ADDRESS": .95, "PHONE_NUMBER": .6}
	found, total := map[string]int{}, map[string]int{}
	for _, s := range all {
		clean := redact(s.Text, nil)
		for _, span := range s.Spans {
			if _, ok := floor[span.Type]; ok {
				total[span.Type]++
				if !strings.Contains(clean, span.Value) {
					found[span.Type]++
				}
			}
		}
	}
	for kind, least := range floor {
		recall := float64(found[kind]) / float64(max(1, total[kind]))
		t.Logf("%s: recall %.3f of %d", kind, recall, total[kind])
		if recall < least {
			t.Errorf("%s: recall %.3f, at least %.2f", kind, recall, least)
		}
	}
}

const nestedMail = "From someone Mon\nReceived: by x; Tue, 1 Jan 2002 10:00:00 +0000\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n folded\nContent-Type: multipart/mixed; boundary=\"outer\"\n\n" +
	"preamble\n--outer\nContent-Type: multipart/alternative; boundary=inner\n\n--inner\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nH=E4llo =\nworld\n--inner\nContent-Type: text/html\n\n<p>no</p>\n--inner--\n--outer\nContent-Type: application/pdf\nContent-Disposition: attachment\n\nbinary\n--outer--\n"

func TestMail(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nested":        {nestedMail, "Grüße folded\n\nHällo world"},
		"html only":     {"Subject: s\nContent-Type: text/html\n\n<html><head><title>t</title><style>x</style></head><body><h1>One</h1>two&nbsp;&amp; three<script>no</script><br>four</body></html>", "s\n\nOne\ntwo & three\nfour"},
		"base64 html":   {"Subject: s\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+aGk8L2I+\n", "s\n\nhi"},
		"wrong charset": {"Subject: s\nContent-Type: text/plain; charset=utf-8\n\nna\xefve", "s\n\nnaïve"},
		"no boundary":   {"Subject: s\nContent-Type: multipart/mixed; boundary=x\n\njust text", "s\n\njust text"},
		"no header end": {"Subject: s\nthis is no header", "s\n\nthis is no header"},
		"empty":         {"", ""},
	} {
		text, _ := mailText([]byte(c.in))
		if got := normalise(text); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func FuzzMail(f *testing.F) {
	f.Add([]byte(nestedMail))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, _ := mailText(b)
		once := normalise(text)
		if twice := normalise(once); twice != once {
			t.Fatalf("normalised %q, again %q", once, twice)
		}
	})
}

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

func BenchmarkRedact(b *testing.B) {
	s := strings.Repeat("A sentence without anything personal in it, in 2002 or 10:45. ", 50)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact(s, nil)
	}
}
