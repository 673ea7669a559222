package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// carriedFrom is added to the number of a field that is carried over.
const carriedFrom = 1000

// carried returns, by path, the sources of the definitions that carry another message's
// fields, with those fields written into them. Whatever reads the definitions behind this
// sees common messages.
func carried(dir string, files linker.Files) (map[string]string, error) {
	messages := map[string]protoreflect.MessageDescriptor{}
	in := map[string]linker.File{}
	for _, file := range files {
		for i := range file.Messages().Len() {
			d := file.Messages().Get(i)
			messages[string(d.Name())], in[string(d.Name())] = d, file
		}
	}
	sources := map[string]string{}
	for name, d := range messages {
		o, ok := option(d.Options(), "millrace.v1.table")
		if !ok || o.string("carries") == "" {
			continue
		}
		from := messages[o.string("carries")]
		if from == nil {
			return nil, fmt.Errorf("%s carries %s, which is no message", name, o.string("carries"))
		}
		path := in[name].Path()
		lines, err := carriedLines(dir, in[string(from.Name())], from, d)
		if err != nil || lines == "" {
			return sources, err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		end := strings.LastIndexByte(string(data), '}') // files hold one message
		sources[path] = string(data[:end]) + lines + string(data[end:])
	}
	return sources, nil
}

// carriedLines are the declarations of the fields of from that to has not, and that are
// not used up on the way.
func carriedLines(dir string, file linker.File, from, to protoreflect.MessageDescriptor) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, file.Path()))
	if err != nil {
		return "", err
	}
	source := strings.SplitAfter(string(data), "\n")
	var b strings.Builder
	for i := range from.Fields().Len() {
		f := from.Fields().Get(i)
		if o, ok := option(f.Options(), "millrace.v1.column"); ok && o.bool("consumed") || to.Fields().ByName(f.Name()) != nil {
			continue
		}
		at := file.SourceLocations().ByDescriptor(f)
		declared := strings.Join(source[at.StartLine:at.EndLine+1], "")
		number := regexp.MustCompile(`=\s*` + strconv.Itoa(int(f.Number())) + `\b`)
		for line := range strings.Lines(comment(file, f)) {
			fmt.Fprintf(&b, "  // %s\n", strings.TrimSpace(line))
		}
		b.WriteString(number.ReplaceAllLiteralString(declared, "= "+strconv.Itoa(carriedFrom+int(f.Number()))))
	}
	return b.String(), nil
}

// carry writes how a message takes over what it carries.
func carry(p *printer, m *Message) error {
	if m.Carries == "" {
		return nil
	}
	p.line("// Carry takes over the fields of a %s that are kept as they are, texts through clean.", m.Carries)
	p.line("func (m *%s) Carry(from *%s, clean func(string) string) {", m.Name, m.Carries)
	for _, f := range m.Fields {
		switch {
		case f.Number < carriedFrom:
		case f.Type.Name == "String":
			p.line("m.%s = clean(from.%s)", f.GoName, f.GoName)
		case f.Type.Name == "Strings":
			p.line("m.%s = nil\nfor _, s := range from.%s {\nm.%s = append(m.%s, clean(s))\n}", f.GoName, f.GoName, f.GoName, f.GoName)
		case strings.HasPrefix(f.Type.Name, "Map") || strings.HasSuffix(f.Type.Name, "Bytes") || f.Type.Name == "OptString":
			return fmt.Errorf("%s.%s: a field of type %s is carried by hand: add it to %s", m.Name, f.Name, f.Type.Name, m.File+".proto")
		default:
			p.line("m.%s = from.%s", f.GoName, f.GoName)
		}
	}
	p.line("}\n")
	return nil
}
