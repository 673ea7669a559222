package trainers

import "testing"

func TestParse(t *testing.T) {
	for _, s := range []string{"training.examples/0:0-17", "a/b/3:5-5", "clean.text/2147483647:0-9223372036854775807"} {
		r, err := ParseRange(s)
		if err != nil || r.String() != s {
			t.Errorf("ParseRange(%q) = %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "a:1-2", "/0:1-2", "a/0:2-1", "a/0:1", "a/-1:0-1", "a/0:-1-2", "a/0:1-2-3", "a/2147483648:0-1", "a/x:0-1"} {
		if r, err := ParseRange(s); err == nil {
			t.Errorf("ParseRange(%q) = %v, want an error", s, r)
		}
	}
	if p, err := ParsePlace("training.examples/1:42"); err != nil || p != (Place{"training.examples", 1, 42}) {
		t.Errorf("ParsePlace = %v, %v", p, err)
	}
	for _, s := range []string{"", "a/1", "a/1:", "a/1:2-3", "a/1:x"} {
		if p, err := ParsePlace(s); err == nil {
			t.Errorf("ParsePlace(%q) = %v, want an error", s, p)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	f.Add("clean.text/1:0-200")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		again, err := ParseRange(r.String())
		if err != nil || again != r {
			t.Errorf("%q is %v, which reads as %v, %v", s, r, again, err)
		}
	})
}

func TestLoop(t *testing.T) {
	for _, l := range []Loop{Observe, Propose, Auto} {
		if err := l.Validate(); err != nil {
			t.Errorf("%s: %v", l, err)
		}
	}
	if Loop("on").Validate() == nil {
		t.Error("loop \"on\" is taken")
	}
}
