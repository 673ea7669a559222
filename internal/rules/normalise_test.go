package rules

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{" a \t b\r\n\r\n\r\nc\rd ", "a b\n\nc\nd"},
		{"e\u200b\u0301", "é"}, // what stood between a letter and its accent is gone
		{"e\u00ad\u0301\u200d@", "é@"},
		{"joe\u200d@exam\u200cple.com\ufe0f", "joe@example.com"},
		{"\u037e\u200dx", ";x"},
		{"👩\u200d💻 क्\u200dष", "👩\u200d💻 क्\u200dष"},
		{"415\u2011555\u00a02671", "415-555 2671"},
		{"A\u030a", "Å"},
		{"x\u034f@ e\u0301\u034fx", "x@ éx"},
	} {
		if got := normalise(c.in); got != c.want {
			t.Errorf("normalise(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestVisible checks that a text that keeps its spelling keeps it.
func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"  if x {\n\t  y\r\n}  ", "  if x {\n\t  y\r\n}  "},
		{"  e\u0301\n\tx\u3000y  ", "  e\u0301\n\tx\u3000y  "},
		{"jo\u200be@exam\x00ple.com", "joe@example.com"},
	} {
		if got := visible(c.in); got != c.want {
			t.Errorf("visible(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("e\u200b\u0301 \u1100\u200d\u1161 \u037e\u200d\r\n\u2028\u00a0\u212a\u200d")
	f.Add("0\u0344" + strings.Repeat("\u0361\u0344", 40)) // NFC puts a joiner into it
	f.Fuzz(func(t *testing.T, s string) {
		once := normalise(s)
		if twice := normalise(once); twice != once || !utf8.ValidString(once) {
			t.Fatalf("%q normalised %q, again %q", s, once, twice)
		}
		once = visible(s)
		if twice := visible(once); twice != once {
			t.Fatalf("%q visible %q, again %q", s, once, twice)
		}
	})
}
