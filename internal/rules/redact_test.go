package rules

import (
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"write to jane.doe+x@mail.example.org, please", "write to <EMAIL>, please"},
		{"<bob@example.com>", "<<EMAIL>>"},
		{"gains at 2PM @home", "gains at 2PM @home"},
		{"joe@bücher.de, jörg@example.org and joe@пример.рф", "<EMAIL>, <EMAIL> and <EMAIL>"},
		{"联系joe@example.com请写", "联系<EMAIL>请写"},
		{"joe@example.com-- joe@example.com_ joe@example.com²", "<EMAIL>-- <EMAIL>_ <EMAIL>²"},
		{"415-555-2671@example.com", "<EMAIL>"},

		{"call (415) 555-0132 or 415-555-0132 x12", "call <PHONE> or <PHONE>"}, // 555 exchanges are numbers like any other
		{"call (415) 555-2671 or 212.555.2671 ext. 9", "call <PHONE> or <PHONE>"},
		{"415-555-2671x818 fax, (044)688-7538x8775", "<PHONE> fax, <PHONE>"},
		{"+49 30 901820 and +1-212-555-2671.", "<PHONE> and <PHONE>."},
		{"“+49 30 901820”, 電話：020-87515870", "“<PHONE>”, 電話：<PHONE>"},
		{"Tel 030 1234 5678, Tél. : 123456", "Tel <PHONE>, Tél. : <PHONE>"},
		{"01.23.45.67.89, 06 12 34 56 78, 089/1234567, (089) 1234567", "<PHONE>, <PHONE>, <PHONE>, <PHONE>"},
		{"order line 1-786-258-2394, phone=4155552671&fax=4155552672", "order line <PHONE>, phone=<PHONE>&fax=<PHONE>"},
		{"my number is 415-555-2671/415-555-2672", "my number is <PHONE>/<PHONE>"},
		{"phone 1234567, 1234568 or 1234569; 1234560 of them", "phone <PHONE>, <PHONE> or <PHONE>; <PHONE> of them"},
		{"<phone>4155552671</phone>", "<phone><PHONE></phone>"},
		{"785 8949 office\n2546712361 fax", "<PHONE> office\n<PHONE> fax"},
		{"1 000 000 office workers", "1 000 000 office workers"},

		{"from 192.168.10.4:8080 to 10.0.0.12", "from <IP>:8080 to <IP>"},
		{"ip=203.0.113.77 src=10.20.30.40 http://203.0.113.77:8080/ #203.0.113.77 &203.0.113.77 $203.0.113.77",
			"ip=<IP> src=<IP> http://<IP>:8080/ #<IP> &<IP> $<IP>"},
		{"203.0.113.0/24, 203.0.113.7-203.0.113.9", "<IP>/24, <IP>-<IP>"},
		{"host 5.9.23.41, [5.9.23.41], http://5.9.23.41/, 5.9.23.41:80", "host <IP>, [<IP>], http://<IP>/, <IP>:80"},
		{"2001:db8::8a2e:370:7334 and fe80::1", "<IP> and <IP>"},
		{"std::dec at 12:34:56", "std::dec at 12:34:56"},

		{"card 4111 1111 1111 1111 or 4111-1111-1111-1112", "card <CARD> or 4111-1111-1111-1112"},
		{"card=4111111111111111, 2223003122003222 and 2220000000000000", "card=<CARD>, <CARD> and 2220000000000000"},
		{"94107-1234 id=4155552671", "94107-1234 id=4155552671"},
	} {
		got := redact(c.in, nil)
		if got != c.want {
			t.Errorf("redact(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
		if again := redact(got, nil); again != got {
			t.Errorf("redact(%q) is not stable: %q", c.in, again)
		}
	}
}

// TestNothingPersonal holds what looks like a number of a person and is none.
func TestNothingPersonal(t *testing.T) {
	for _, s := range []string{
		"order 123-456-7890-1234, 2002-09-24 10:20",
		"cancelled order 1234567", "I called on 2002-09-24", "tell me by 24/09/2002", "call 2002-09-24 10:00", "fax 24.09.2002",
		"the hotel in 1998-2002", "the hotel 1234567", "recall 0.912345", "call 3.14159265", "phone 1400-1530", "call 1998-2002",
		"J. Phys. 12 (1999) 123-145", "J. Phys. 12 (199) 123-145", "phone book 12 (1999) 123-145",
		"score +1234567", "bill 0012-3456-789", "isbn 0306-40615-2", "printed 0306-40615-2", "order number 0306-40615-3",
		"cell count 1234567", "<EMAIL> 1234567", "$415-555-2671", "a/415-555-2671", "1.234.567",
		"00 00 00 00 00 00 00 00 00", "04-05-2002 1012",
		"kernel 5.15.0.91", "section 3.10.2.1", "version 10.4.22.1, revision 1.1.1.4", "Conf.pm,1.91.2.7", "v12.10.2.100",
		"5.15.0.91-generic", "12.15.0.91-1ubuntu2", "Chrome/91.0.124.100", "0.123.45.67", "255.255.255.0", "1.2.3.4",
	} {
		if got := redact(s, nil); got != s {
			t.Errorf("redact(%q) = %q", s, got)
		}
	}
}

// TestCounts checks that every find is counted once, however often it was tried.
func TestCounts(t *testing.T) {
	counts := map[string]int64{}
	got := redact("+12 345 678 (415) 555-2671, a@b.co, 10.20.30.40, 4111111111111111, <PHONE>", counts)
	if strings.Count(got, "<PHONE>") != 2 || counts["phone"] != 1 || counts["email"] != 1 || counts["ip"] != 1 || counts["card"] != 1 {
		t.Errorf("%q, counts %v", got, counts)
	}
}

// hostile are beginnings of texts that made redaction quadratic, or might have.
var hostile = []string{
	"phone 123456, ", "1234567, ", "a@" + strings.Repeat("-", 240), "a@b.c@", "@", "a@b.co", strings.Repeat("a", 300) + "@b.co ",
	"1", "1 ", "+1 ", "00 ", "001-", "(1", "(415) 555-2671 ", "+12 345 678 (415) 555-2671 ", "12 34 56 78 ", "+49 30 ", "1.2.3.44", "1.2.3.44.",
	"fe80::1 ", "a:", "1:2:3:4:5:6:7:8:", "::", "<", "<PHONE>", "<PHONE> 1234567, ", "phone ", "4111111111111111 ", "4111 ", "555-1234-",
	"a.", "é", "中1", "tel 12/", "0/", "01.23.45.67.89.", "\u200d", "5 ext ",
}

// TestRedactionIsLinear counts steps, not seconds: four times the text is four times the
// work, and no byte has more than its share of it.
func TestRedactionIsLinear(t *testing.T) {
	work := func(s string) int {
		r := redactor{}
		r.numbers(r.emails(s), 0)
		return r.steps
	}
	for _, unit := range hostile {
		for _, before := range []string{"", "phone 123456, ", "a@", "+1"} {
			const n = 20_000
			one := before + strings.Repeat(unit, n/len(unit)+1)
			four := before + strings.Repeat(unit, 4*n/len(unit)+4)
			a, b := work(one), work(four)
			if b > 5*a+1000 || b > 4*(behind+ahead)*len(four) {
				t.Errorf("%q and %.20q…: %d steps for %d bytes, %d for %d", before, unit, a, len(one), b, len(four))
			}
		}
	}
}

// TestRedactTwice builds texts of the pieces of numbers, which a fuzzer of bytes hardly
// hits on, and redacts each twice.
func TestRedactTwice(t *testing.T) {
	pieces := append([]string{"+49", "415", "(415)", "(0", "555-2671", "2671", "123456", "12", "1", "0", "00", "001", "089", "-", ".", "/", " ", "  ", ",", ":", "=", "x12", " ext 9",
		"phone", "call ", "at ", "fax", " office", "version ", "ip ", "id ", "@", "b.co", ".com", "joe", "_", "\n", "1.2.3.44", "10.20.30.40", "4111 1111", "4111111111111111",
		"fe80:", ":1", "ab", "2002-09-24", "1998", "<IP>", "<CARD>", "<", ">", "’"}, hostile...)
	random := rand.New(rand.NewPCG(1, 2))
	n := 100_000
	if testing.Short() {
		n /= 10
	}
	for range n {
		var b strings.Builder
		for range 2 + random.IntN(14) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		once := redact(b.String(), nil)
		if twice := redact(once, nil); twice != once {
			t.Fatalf("%q\nonce  %q\ntwice %q", b.String(), once, twice)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("a@b.co (415) 555-2671 1.2.3.44 4111 1111 1111 1111 fe80::1 +49 30 1234567")
	f.Add(`{"card":4111111111111111,"tel":12125550187,"phones":["4155552671",{"home":4155552672}],"a@b.co":"x\u200by"}`)
	for _, unit := range hostile {
		f.Add(strings.Repeat(unit, 3))
		f.Add("phone 123456, " + unit + unit + " (415) 555-2671" + unit)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, redact := range map[string]func(string) string{
			"redact":      func(s string) string { return redact(s, nil) },
			"redactRaw":   func(s string) string { return redactRaw(s, hintPhone, nil) },
			"redactValue": redactValue,
			"Detail":      Detail,
			"clean":       func(s string) string { return redact(normalise(s), nil) },
		} {
			once := redact(s)
			if twice := redact(once); twice != once {
				t.Fatalf("%s %q\nonce  %q\ntwice %q", name, s, once, twice)
			}
		}
		// What predict was asked is redacted again as the inference's message.
		clean := redact(normalise(s), nil)
		if again := redactValue(clean); again != clean && !json.Valid([]byte(clean)) {
			t.Fatalf("%q clean %q, as a message %q", s, clean, again)
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
	floor := map[string]float64{"EMAIL_ADDRESS": .99, "CREDIT_CARD": .99, "IP_ADDRESS": .95, "PHONE_NUMBER": .95}
	names := map[string]string{"EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IP_ADDRESS": "ip", "PHONE_NUMBER": "phone"}
	made := map[string]int64{}
	found, total := map[string]int{}, map[string]int{}
	for _, s := range all {
		clean := redact(s.Text, made)
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
		t.Logf("%s: recall %.3f of %d, %d were replaced", kind, recall, total[kind], made[names[kind]])
		if recall < least {
			t.Errorf("%s: recall %.3f, at least %.2f", kind, recall, least)
		}
		// An address is whole or not at all, so what is replaced and no find is wrong.
		if wrong := made[names[kind]] - int64(found[kind]); float64(wrong) > .03*float64(total[kind]) {
			t.Errorf("%s: %d of %d were replaced wrongly", kind, wrong, made[names[kind]])
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	s := strings.Repeat("A sentence without anything personal in it, in 2002 or 10:45. ", 50)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact(s, nil)
	}
}

// BenchmarkRedactHostile is a list of numbers, each of which once cost a pass.
func BenchmarkRedactHostile(b *testing.B) {
	s := "phone 123456, " + strings.Repeat("1234567, ", 200_000/9)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact(s, nil)
	}
}

func BenchmarkRedactFinds(b *testing.B) {
	s := strings.Repeat("Please write to jane@example.org or call (415) 555-2671 before Friday, from 203.0.113.77. ", 40)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact(s, nil)
	}
}
