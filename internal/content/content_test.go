package content

import (
	"fmt"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// TestHash checks that a clean text has the hash that its event names.
func TestHash(t *testing.T) {
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var out schemas.CleanText
	if v := r.Text(&schemas.Text{Text: "a  text of some words, which is long enough to be taken"}, &out); !v.Clean() {
		t.Fatal(v)
	}
	if out.ContentHash != Hash(out.Text) {
		t.Errorf("%q has the hash %s, want %s", out.Text, Hash(out.Text), out.ContentHash)
	}
}

// TestText checks which part of an input is its text.
func TestText(t *testing.T) {
	for input, want := range map[string]string{
		"a plain text":     "a plain text",
		"[a list it isn't": "[a list it isn't",
		`[{"role":"system","parts":[{"type":"text","content":"be brief"}]},{"role":"user","parts":[{"type":"text","content":"hello"},{"type":"blob","content":"AAAA"}]}]`: "be brief\nhello",
		`[{"role":"user","content":"as it was before there were parts"}]`:                                                                                                 "as it was before there were parts",
		`[1,2,3]`: "[1,2,3]",
		`[{"role":"user","parts":[{"type":"blob","content":"AAAA"}]}]`: `[{"role":"user","parts":[{"type":"blob","content":"AAAA"}]}]`,
	} {
		if got := Text(input); got != want {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
}

// TestIsTest holds the split fixed: a version must never be judged by what another
// release trained it on.
func TestIsTest(t *testing.T) {
	var got []int
	test, both := 0, 0
	for i := range 10_000 {
		hash := fmt.Sprintf("1:%032x", i)
		if !IsTest(hash) {
			continue
		}
		if test++; i < 100 {
			got = append(got, i)
		}
		if Below(hash, .3) {
			both++
		}
	}
	if want := []int{10, 18, 25, 41, 51, 59, 69, 71, 78, 82, 86}; !slices.Equal(got, want) {
		t.Errorf("for tests are %v, want %v", got, want)
	}
	if test < 900 || test > 1100 || both < test/4 || both > test*7/20 {
		t.Errorf("%d of 10,000 are for tests, %d of these below .3", test, both)
	}
}
