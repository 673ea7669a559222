package rules

import (
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
)

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
		"CR alone":      {"Subject: s\r\rtext\rmore", "s\n\ntext\nmore"},
		"CR in a part":  {"Subject: s\n\ntext\rmore", "s\n\ntext\nmore"},
		"folded":        {"Subject: a\n b\n\tc\nX: y\n\nt", "a b c\n\nt"},
		"headers alone": {"Subject: a\n b", "a b"},
		"pieces of base64": {"Subject: s\nContent-Transfer-Encoding: base64\n\n" +
			base64.StdEncoding.EncodeToString([]byte("one piece")) + "\n" + base64.StdEncoding.EncodeToString([]byte(" and again")) + "\n" + base64.StdEncoding.EncodeToString([]byte(", the end")) + "\n",
			"s\n\none piece and again, the end"},
		"damaged type":    {"Subject: s\nContent-Type: multipart/mixed; boundary\n\njust text", "s\n\njust text"},
		"boundary lost":   {"Subject: s\nContent-Type: multipart/mixed; boundary=\"\n\n--x y\nContent-Type: text/plain\n\nhello\n--x y--\n", "s\n\nhello"},
		"no semicolon":    {"Subject: s\nContent-Type: multipart/mixed boundary=b\n\n--b\n\nhello\n--b--\n", "s\n\nhello"},
		"a line of signs": {"Subject: s\nContent-Type: multipart/mixed\n\n-- \nhello", "s\n\n--\nhello"},
	} {
		text, _ := mailText([]byte(c.in))
		if got := normalise(text); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestHeaderIsJoinedOnce compares the bytes that headers of n and 4n lines take.
func TestHeaderIsJoinedOnce(t *testing.T) {
	taken := func(lines int) uint64 {
		raw := []byte("Subject: s\n" + strings.Repeat(" x\n", lines) + "\ntext")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		splitMail(raw)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if one, four := taken(5_000), taken(20_000); four > 10*one {
		t.Errorf("5,000 lines take %d bytes, 20,000 take %d", one, four)
	}
}

func FuzzMail(f *testing.F) {
	f.Add([]byte(nestedMail))
	f.Add([]byte("Subject: =?utf-8?B?w6Q=?=\r\rtext"))
	f.Add([]byte("Content-Type: multipart/x; boundary\n\n--b\nContent-Transfer-Encoding: base64\n\nQQ==QUI=\n--b--"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, replaced := mailText(b)
		if replaced < 0 || replaced > 1 {
			t.Fatalf("a share of %f was replaced", replaced)
		}
		once := normalise(text)
		if twice := normalise(once); twice != once {
			t.Fatalf("normalised %q, again %q", once, twice)
		}
	})
}

func FuzzHTML(f *testing.F) {
	f.Add("<html><head><title>t</title></head><body><p>one<br>two<td>&nbsp;&#0;<script>x</script>")
	f.Add("<script><!--<template></p><title>")
	f.Fuzz(func(t *testing.T, page string) { htmlText(page) })
}
