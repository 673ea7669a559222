package rules

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"

	"github.com/millrace-io/millrace/schemas"
)

// maxParts and maxDepth bound what is read of a mail.
const (
	maxParts = 100
	maxDepth = 8
)

// extract gives the text of an event, by its content type. replaced is the share of
// bytes that could not be read as text.
func extract(in *schemas.Text) (text string, replaced float64) {
	_, params, _ := mime.ParseMediaType(in.ContentType) // junk has no parameters
	switch mediaType(in.ContentType) {
	case "message/rfc822":
		raw := in.Data
		if len(raw) == 0 {
			raw = []byte(in.Text)
		}
		return mailText(raw)
	case "text/html", "application/xhtml+xml":
		if in.Text != "" {
			return htmlText(in.Text), 0
		}
		text, replaced = decodeCharset(in.Data, params["charset"])
		return htmlText(text), replaced
	}
	if in.Text != "" {
		return in.Text, 0
	}
	return decodeCharset(in.Data, params["charset"])
}

// mailText is a mail's subject, an empty line, and its body: the plain part where there
// is one with text in it, else the HTML part as text. Headers do not enter it.
func mailText(raw []byte) (text string, replaced float64) {
	header, body := splitMail(raw)
	m := &mailReader{}
	m.part(header, body, 0)
	subject := decodeHeader(header.Get("Subject"))
	switch {
	case strings.TrimSpace(m.plain.String()) != "":
		text = m.plain.String()
	case m.html.Len() > 0:
		text = htmlText(m.html.String())
	}
	return subject + "\n\n" + text, m.replaced
}

// splitMail takes headers apart without giving up on a line that is none, such as the
// "From " of a mailbox.
func splitMail(raw []byte) (textproto.MIMEHeader, []byte) {
	header := textproto.MIMEHeader{}
	if end := bytes.IndexAny(raw, "\r\n"); end >= 0 && raw[end] == '\r' && (end+1 == len(raw) || raw[end+1] != '\n') {
		raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n")) // lines as an old Macintosh ended them
	}
	// A header is joined once, when its last line is known: it may have any number.
	name, lines := "", []string(nil)
	finish := func() {
		if lines != nil {
			header[name] = append(header[name], strings.Join(lines, " "))
		}
		lines = nil
	}
	defer finish()
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return header, rest
		}
		if line[0] == ' ' || line[0] == '\t' {
			if lines != nil {
				lines = append(lines, strings.TrimSpace(string(line)))
			}
		} else if key, value, ok := bytes.Cut(line, []byte(":")); ok && !bytes.ContainsAny(key, " \t") {
			finish()
			name, lines = textproto.CanonicalMIMEHeaderKey(string(key)), []string{strings.TrimSpace(string(value))}
		} else if lines != nil {
			return header, raw // the body begins without an empty line
		}
		raw = rest
	}
	return header, nil
}

type mailReader struct {
	plain, html strings.Builder
	replaced    float64
	parts       int
}

func (m *mailReader) part(header textproto.MIMEHeader, body []byte, depth int) {
	if m.parts++; m.parts > maxParts || depth > maxDepth {
		return
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = mediaType(header.Get("Content-Type"))
	}
	if strings.HasPrefix(kind, "multipart/") {
		boundary := params["boundary"]
		if boundary == "" {
			boundary = guessBoundary(body)
		}
		if boundary == "" { // nobody can tell its parts apart: it is what it looks like
			m.text(&m.plain, body, "")
			return
		}
		m.multipart(body, boundary, depth)
		return
	}
	if disposition := strings.ToLower(header.Get("Content-Disposition")); strings.HasPrefix(disposition, "attachment") && kind != "message/rfc822" {
		return
	}
	body = decodeTransfer(body, header.Get("Content-Transfer-Encoding"))
	switch {
	case kind == "message/rfc822":
		inner, rest := splitMail(body)
		m.plain.WriteString(decodeHeader(inner.Get("Subject")) + "\n")
		m.part(inner, rest, depth+1)
	case kind == "text/html":
		m.text(&m.html, body, params["charset"])
	case kind == "" || strings.HasPrefix(kind, "text"):
		m.text(&m.plain, body, params["charset"])
	}
}

func (m *mailReader) text(to *strings.Builder, body []byte, charset string) {
	text, replaced := decodeCharset(body, charset)
	if to.Len() > 0 {
		to.WriteString("\n\n")
	}
	to.WriteString(text)
	m.replaced = max(m.replaced, replaced)
}

func (m *mailReader) multipart(body []byte, boundary string, depth int) {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	found := false
	for {
		p, err := r.NextRawPart()
		if err != nil {
			break // the end, or junk behind the last part that can be read
		}
		found = true
		data, err := io.ReadAll(p)
		if err != nil && len(data) == 0 {
			break
		}
		m.part(p.Header, data, depth+1)
	}
	if !found { // the boundary never comes: it is what it looks like
		m.text(&m.plain, body, "")
	}
}

// guessBoundary reads the boundary off a body whose header lost it: the first line that
// begins with two hyphens, if it comes again as the last boundary does.
func guessBoundary(body []byte) string {
	for rest := body; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > 2 && len(line) <= 72 && bytes.HasPrefix(line, []byte("--")) {
			if bytes.Contains(rest, []byte("\n"+string(line)+"--")) {
				return string(line[2:])
			}
			return ""
		}
	}
	return ""
}

// decodeTransfer undoes a transfer encoding as far as it goes.
func decodeTransfer(body []byte, encoding string) []byte {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		if out := decodeBase64(body); len(out) > 0 {
			return out
		}
		return body
	case "quoted-printable":
		return decodeQuoted(body)
	}
	return body
}

// decodeBase64 reads base64 with junk in it, and several ends: what was encoded in pieces
// has padding behind each, and behind padding a piece begins anew.
func decodeBase64(body []byte) []byte {
	out := make([]byte, 0, base64.RawStdEncoding.DecodedLen(len(body)))
	piece := make([]byte, 0, len(body))
	flush := func() {
		out, _ = base64.RawStdEncoding.AppendDecode(out, piece) // as far as it goes
		piece = piece[:0]
	}
	for _, c := range body {
		switch {
		case isLetter(c) || isDigit(c) || c == '+' || c == '/':
			piece = append(piece, c)
		case c == '=':
			flush()
		}
	}
	flush()
	return out
}

// decodeQuoted keeps a line that is not quoted-printable as it is.
func decodeQuoted(body []byte) []byte {
	out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	if err == nil {
		return out
	}
	var b bytes.Buffer
	lines := bufio.NewReader(bytes.NewReader(body))
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.IndexByte(line, '=') < 0 { // most lines; a reader for each would cost far more than they do
			b.Write(line)
		} else if text, e := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(line))); e == nil {
			b.Write(text)
		} else {
			b.Write(line)
		}
		if err != nil {
			return b.Bytes()
		}
	}
}

// maxHeader bounds the header whose encoded words are read: to look for the end of each
// costs as much as the header is long.
const maxHeader = 16 << 10

// decodeHeader reads RFC 2047's encoded words; what cannot be read stays.
func decodeHeader(s string) string {
	if len(s) > maxHeader {
		return decodeHeader(s[:maxHeader]) + strings.ToValidUTF8(s[maxHeader:], "")
	}
	d := mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, errors.Join(errors.New("read an encoded word"), err)
		}
		text, _ := decodeCharset(b, charset)
		return strings.NewReader(text), nil
	}}
	out, err := d.DecodeHeader(s)
	if err != nil {
		out = s
	}
	text, _ := decodeCharset([]byte(out), "")
	return text
}
