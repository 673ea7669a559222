package console

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "-1,234,567"},
		{Count(math.MinInt64), "-9,223,372,036,854,775,808"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1536), "1.50 KiB"}, {Bytes(1<<20 - 1), "1.00 MiB"}, {Bytes(123 << 20), "123 MiB"},
		{Bytes(math.MaxInt64), "8.00 EiB"},
		{Duration(840), "840 ns"}, {Duration(840 * time.Microsecond), "840 µs"}, {Duration(12345 * time.Microsecond), "12.3 ms"},
		{Duration(4500 * time.Millisecond), "4.50 s"}, {Duration(59990 * time.Millisecond), "1m 00s"}, {Duration(92 * time.Second), "1m 32s"},
		{Duration(3*time.Hour + 5*time.Minute), "3h 05m"}, {Duration(time.Hour - time.Millisecond), "1h 00m"}, {Duration(52 * time.Hour), "2d 04h"}, {Duration(-time.Second), "-1.00 s"},
		{Percent(.9734), "97.3 %"}, {Percent(math.NaN()), "-"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	err := Table(&b, []Column{{Title: "NAME"}, {Title: "ROWS", Right: true}, {Title: "WHY"}}, [][]string{
		{"日本", "1,000", "bad\x1b[2Jnews"}, {"e\u0301", "7"}, {"plain", "12", "", "left out"},
	})
	want := "NAME    ROWS  WHY\n" + "日本   1,000  bad [2Jnews\n" + "e\u0301          7\n" + "plain     12\n"
	if err != nil || b.String() != want {
		t.Errorf("got\n%s%v, want\n%s", b.String(), err, want)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"short", 5, "short"}, {"longer", 5, "long…"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"ab", 1, "…"}, {"ab", 0, ""}} {
		if got := Cut(c.in, c.n); got != c.want || Width(got) > c.n {
			t.Errorf("Cut(%q, %d): got %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{{0, 10, "░░░░"}, {5, 10, "██░░"}, {10, 10, "████"}, {99, 10, "████"}, {1, 0, "░░░░"}, {-1, 10, "░░░░"}, {1, 32, "▏░░░"}, {math.MaxInt64, math.MaxInt64, "████"}} {
		if got := Bar(c.done, c.total, 4); got != c.want {
			t.Errorf("Bar(%d, %d): got %s, want %s", c.done, c.total, got, c.want)
		}
	}
}

// TestLive plays a view against a small terminal and against a file.
func TestLive(t *testing.T) {
	now := time.Unix(0, 0)
	var term, plain bytes.Buffer
	for _, c := range []struct {
		out  *bytes.Buffer
		live *Live
		want string
	}{
		{&term, NewLive(&term, true, func() time.Time { return now }), "a1\nb1\n" + "\x1b[2A\r\x1b[Ja2\nb2\n" + "\x1b[2A\r\x1b[Jnote\na2\nb2\n" + "\x1b[2A\r\x1b[Jdone\n"},
		{&plain, NewLive(&plain, false, func() time.Time { return now }), "a1\nb1\n" + "a2\nb2\n" + "note\n" + "done\n"},
	} {
		c.live.Update("a1", "b1")
		c.live.Update("too", "soon")
		now = now.Add(plainEvery)
		c.live.Update("a2", "b2")
		c.live.Println("note")
		if err := c.live.Close("done"); err != nil || c.out.String() != c.want {
			t.Errorf("got %q, %v\nwant %q", c.out.String(), err, c.want)
		}
	}
	long := NewLive(&term, true, time.Now)
	term.Reset()
	long.Update(strings.Repeat("x", 500))
	if n := Width(strings.TrimSuffix(term.String(), "\n")); n >= fallbackWidth {
		t.Errorf("a line of %d cells wraps", n)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestErrorsAreTold(t *testing.T) {
	l := NewLive(broken{}, false, time.Now)
	l.Println("x")
	if err := l.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := Table(broken{}, []Column{{Title: "A"}}, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestIsTerminal(t *testing.T) {
	none := func(string) string { return "" }
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if IsTerminal(&bytes.Buffer{}, none) || IsTerminal(f, none) {
		t.Error("a file is no terminal")
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here")
	}
	defer pty.Close()
	if !IsTerminal(pty, none) {
		t.Error("a pseudo terminal is a terminal")
	}
	if IsTerminal(pty, func(k string) string { return map[string]string{"NO_COLOR": "1"}[k] }) {
		t.Error("NO_COLOR asks for plain lines")
	}
}
