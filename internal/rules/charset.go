package rules

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// decodeCharset reads bytes in the character set that they claim. A claim that is
// unknown or that the bytes contradict gives way to UTF-8, and that to Windows-1252,
// which every byte string is. replaced is the share of bytes that could not be read.
func decodeCharset(b []byte, claimed string) (text string, replaced float64) {
	if rest, ok := bytes.CutPrefix(b, []byte("\xef\xbb\xbf")); ok {
		b, claimed = rest, "utf-8"
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		if out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(b); err == nil {
			return string(out), share(bytes.Count(out, []byte("\uFFFD")), len(out))
		}
	}
	claimed = strings.ToLower(strings.Trim(strings.TrimSpace(claimed), `"'`))
	switch claimed {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown":
		if utf8.Valid(b) {
			return string(b), share(controls(b), len(b))
		}
	default:
		if enc, err := htmlindex.Get(claimed); err == nil {
			if out, err := enc.NewDecoder().Bytes(b); err == nil {
				if bad := bytes.Count(out, []byte("\uFFFD")); bad == 0 || !utf8.Valid(b) {
					return string(out), share(bad, len(b))
				}
			}
		}
		if utf8.Valid(b) {
			return string(b), share(controls(b), len(b))
		}
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil { // it maps every byte
		return strings.ToValidUTF8(string(b), ""), 1
	}
	return string(out), share(controls(b), len(b))
}

// controls counts bytes that are text in no encoding.
func controls(b []byte) int {
	n := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b {
			n++
		}
	}
	return n
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
