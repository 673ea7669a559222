package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"
)

const generatedHeader = "// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.\n\n"

// printer collects the lines of one file.
type printer struct{ bytes.Buffer }

// line appends a line; its indentation is gofmt's matter.
func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

// comment appends text as Go comments.
func (p *printer) comment(text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.line("%s", strings.TrimRight("// "+line, " "))
	}
}

// source is the file, as gofmt writes it.
func (p *printer) source(name string) ([]byte, error) {
	out, err := format.Source(append([]byte(generatedHeader), p.Bytes()...))
	if err != nil {
		return nil, fmt.Errorf("%s does not parse: %w", name, err)
	}
	return out, nil
}
