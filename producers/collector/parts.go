package collector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// parts cuts a body into events while it is read. It holds one at a time, and no more of
// it than an event may have.
//
// It looks at no more of JSON than it takes to find where an event ends, which is exact
// where the body is JSON. Whoever decodes the events tells where it is not: an array all
// of whose elements are JSON is JSON.
type parts struct {
	r *bufio.Reader
	// most bounds an event.
	most int
	// each says whether the body is of the kind that holds several events.
	each bool
	// cut reads the next event into kept, with its size and where it begins.
	cut   func() error
	kept  []byte
	size  int64
	start int64
	at    int64 // bytes of the body that are behind
	any   bool  // whether there was an event
}

// newParts cuts a body of a media type that is known.
func newParts(in io.Reader, media string, most int) (*parts, error) {
	p := &parts{r: bufio.NewReaderSize(in, 32<<10), most: most}
	switch media {
	case mediaProtobuf:
		p.cut = p.whole
		return p, nil
	case mediaLines:
		p.cut, p.each = p.line, true
		return p, nil
	}
	p.cut = p.json
	c, err := p.peek()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if c == '[' {
		p.pass(1)
		p.cut, p.each = p.element, true
	}
	return p, nil
}

// next reads an event; p.kept is good until the next call. It is cut to p.most where
// p.size says that it has more. io.EOF tells that there is none.
func (p *parts) next() error {
	p.kept, p.size, p.start = p.kept[:0], 0, p.at
	err := p.cut()
	p.any = true
	return err
}

// pass leaves n bytes behind that were peeked at.
func (p *parts) pass(n int) {
	_, _ = p.r.Discard(n) // they are buffered
	p.at += int64(n)
}

// keep makes n bytes that were peeked at part of the event.
func (p *parts) keep(b []byte, most int) {
	p.kept = append(p.kept, b[:min(len(b), max(0, most-len(p.kept)))]...)
	p.size += int64(len(b))
	p.pass(len(b))
}

// buffered is what is there to be looked at, at least a byte.
func (p *parts) buffered() ([]byte, error) {
	if _, err := p.r.Peek(1); err != nil {
		return nil, err
	}
	return p.r.Peek(p.r.Buffered())
}

// peek passes over white space and looks at the byte behind it; 0 with an error.
func (p *parts) peek() (byte, error) {
	for {
		b, err := p.buffered()
		if err != nil {
			return 0, err
		}
		for i, c := range b {
			if !space(c) {
				p.pass(i)
				return c, nil
			}
		}
		p.pass(len(b))
	}
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// whole reads all of the body as one event.
func (p *parts) whole() error {
	if p.any {
		return io.EOF
	}
	for {
		b, err := p.buffered()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p.keep(b, p.most)
	}
}

// json reads all of the body as one event without the white space around it.
func (p *parts) json() error {
	if p.any {
		return io.EOF
	}
	p.start = p.at
	var size int64 // up to the last byte that is no white space
	for {
		b, err := p.buffered()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if n := len(bytes.TrimRight(b, " \t\r\n")); n > 0 {
			size = p.size + int64(n)
		}
		p.keep(b, p.most)
	}
	p.size = size
	p.kept = p.kept[:min(int64(len(p.kept)), size)]
	return nil
}

// line reads the next line that is not empty.
func (p *parts) line() error {
	for {
		p.kept, p.size, p.start = p.kept[:0], 0, p.at
		ended := false
		for !ended {
			b, err := p.buffered()
			if err != nil && (!errors.Is(err, io.EOF) || p.size == 0) {
				return err
			}
			ended = err != nil
			newline := bytes.IndexByte(b, '\n')
			if newline >= 0 {
				b, ended = b[:newline], true
			}
			p.keep(b, p.most+len("\r"))
			if newline >= 0 {
				p.pass(1)
			}
		}
		if p.size > int64(len(p.kept)) {
			return nil // too large, whatever is in it
		}
		p.kept = bytes.TrimSpace(p.kept)
		if p.size = int64(len(p.kept)); p.size > 0 {
			return nil
		}
	}
}

// element reads the next element of the array.
func (p *parts) element() error {
	c, err := p.peek()
	if err != nil {
		return p.fault(err)
	}
	switch {
	case c == ']':
		return p.end()
	case c == ',' && p.any:
		p.pass(1)
		if c, err = p.peek(); err != nil {
			return p.fault(err)
		}
	case p.any:
		return p.faulty("a comma or the end of the array is missing")
	}
	if c == ',' || c == ']' || c == '}' {
		return p.faulty("an event is missing")
	}
	p.start = p.at
	var scan valueEnd
	for {
		b, err := p.buffered()
		if errors.Is(err, io.EOF) && scan.bare() {
			return nil
		}
		if err != nil {
			return p.fault(err)
		}
		n, done := scan.find(b)
		p.keep(b[:n], p.most)
		if done {
			return nil
		}
	}
}

// end checks that nothing comes behind the array.
func (p *parts) end() error {
	p.pass(1)
	_, err := p.peek()
	if err == nil {
		return p.faulty("something comes behind the array")
	}
	if errors.Is(err, io.EOF) {
		p.cut = func() error { return io.EOF }
	}
	return err
}

// fault tells that the body ends within the array, or what else the reader met.
func (p *parts) fault(err error) error {
	if errors.Is(err, io.EOF) {
		return p.faulty("its end is missing")
	}
	return err
}

func (p *parts) faulty(problem string) error {
	return refuse(http.StatusBadRequest, "the body is not a JSON array: %s (at byte %d)", problem, p.at)
}

// valueEnd finds the end of a JSON value, piece by piece.
type valueEnd struct {
	depth             int
	inString, escaped bool
	begun             bool
}

// bare says that it is within a number, or a word, which only what follows it ends.
func (v *valueEnd) bare() bool { return v.begun && v.depth == 0 && !v.inString }

// find says how much of b belongs to the value, and whether that is its end.
func (v *valueEnd) find(b []byte) (n int, done bool) {
	for i, c := range b {
		switch {
		case v.escaped:
			v.escaped = false
		case v.inString:
			switch c {
			case '\\':
				v.escaped = true
			case '"':
				if v.inString = false; v.depth == 0 {
					return i + 1, true
				}
			}
		case v.depth == 0 && v.begun && (c == ',' || c == ']' || c == '}' || c == '[' || c == '{' || c == '"' || space(c)):
			return i, true
		case c == '"':
			v.inString = true
		case c == '{' || c == '[':
			v.depth++
		case c == '}' || c == ']':
			if v.depth--; v.depth == 0 {
				return i + 1, true
			}
		}
		v.begun = true
	}
	return len(b), false
}

// jsonFault says what is wrong with a piece of a body that is not JSON, and where; start
// is where it begins.
func jsonFault(piece []byte, start int64) string {
	if len(piece) == 0 {
		return "it is empty"
	}
	var any json.RawMessage
	err := json.Unmarshal(piece, &any)
	var fault *json.SyntaxError
	if errors.As(err, &fault) {
		return fmt.Sprintf("%s (at byte %d)", fault, start+max(0, fault.Offset-1))
	}
	return fmt.Sprint(err)
}
