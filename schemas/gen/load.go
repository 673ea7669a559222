package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Set is all that the definitions say.
type Set struct {
	// Envelope's fields are part of every message.
	Envelope *Message
	// Messages are the events, ordered by the name of their file.
	Messages []*Message
}

// Message is one event, or the envelope.
type Message struct {
	Name    string // of the Go struct
	File    string // of the definition, without .proto
	Comment string
	Fields  []*Field // but for the envelope

	// What the option (table) says.
	Kind    string
	OrderBy []string
	Input   bool
	Claim   bool
	Carries string
}

// Stored says whether the message has a table and a folder in the lake.
func (m *Message) Stored() bool { return len(m.OrderBy) > 0 }

// Field is one field of a message.
type Field struct {
	Name    string // snake_case, as in proto, SQL and Parquet
	GoName  string
	Comment string
	Number  int
	Type    *Type

	// What the option (column) says.
	LowCardinality bool
	OTel           string
	Aliases        []string
	Required       bool
	MaxBytes       int
	Personal       bool
	JSON           bool
	Computed       bool
}

// JSONNames are all names that JSON input may use, the canonical one first.
func (f *Field) JSONNames() []string {
	names := []string{f.Name}
	for _, name := range append([]string{f.OTel, camelCase(f.Name)}, f.Aliases...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Meaning is the comment on one line; where there is none, OpenTelemetry's name says
// where to read on.
func (f *Field) Meaning() string {
	if f.Comment == "" && f.OTel != "" {
		return "OpenTelemetry's " + f.OTel + "."
	}
	return oneLine(f.Comment)
}

// compile reads the definitions with their comments.
func compile(dir string) (linker.Files, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no .proto files in %s", dir)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	slices.Sort(names)
	files, err := compileSources(dir, names, nil)
	if err != nil {
		return nil, err
	}
	sources, err := carried(dir, files)
	if err != nil || len(sources) == 0 {
		return files, err
	}
	return compileSources(dir, names, sources)
}

// compileSources reads the definitions; those in sources instead of their files.
func compileSources(dir string, names []string, sources map[string]string) (linker.Files, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			ImportPaths: []string{dir},
			Accessor: func(path string) (io.ReadCloser, error) {
				if rel, err := filepath.Rel(dir, path); err == nil && sources[rel] != "" {
					return io.NopCloser(strings.NewReader(sources[rel])), nil
				}
				return os.Open(path)
			},
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("compile the definitions: %w", err)
	}
	return files, nil
}

func load(dir string) (*Set, error) {
	files, err := compile(dir)
	if err != nil {
		return nil, err
	}
	set := &Set{}
	for _, file := range files {
		for i := range file.Messages().Len() {
			d := file.Messages().Get(i)
			if file.Path() == "options.proto" {
				continue
			}
			m, err := newMessage(file, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file.Path(), err)
			}
			if m.Name == "Envelope" {
				set.Envelope = m
				continue
			}
			set.Messages = append(set.Messages, m)
		}
	}
	if set.Envelope == nil {
		return nil, fmt.Errorf("no message Envelope")
	}
	return set, set.validate()
}

func newMessage(file linker.File, d protoreflect.MessageDescriptor) (*Message, error) {
	m := &Message{
		Name:    string(d.Name()),
		File:    strings.TrimSuffix(file.Path(), ".proto"),
		Comment: comment(file, d),
	}
	if o, ok := option(d.Options(), "millrace.v1.table"); ok {
		m.Kind = o.string("name")
		m.OrderBy = o.strings("order_by")
		m.Input = o.bool("input")
		m.Claim = o.bool("claim")
		m.Carries = o.string("carries")
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if fd.Name() == "envelope" && fd.Number() == envelopeNumber {
			continue
		}
		f, err := newField(file, fd)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", m.Name, fd.Name(), err)
		}
		m.Fields = append(m.Fields, f)
	}
	return m, nil
}

// envelopeNumber is the number of the field envelope in every event.
const envelopeNumber = 1

func newField(file linker.File, d protoreflect.FieldDescriptor) (*Field, error) {
	f := &Field{
		Name:    string(d.Name()),
		GoName:  goName(string(d.Name())),
		Comment: comment(file, d),
		Number:  int(d.Number()),
	}
	time := false
	if o, ok := option(d.Options(), "millrace.v1.column"); ok {
		time = o.bool("time")
		f.LowCardinality = o.bool("low_cardinality")
		f.OTel = o.string("otel")
		f.Aliases = o.strings("aliases")
		f.Required = o.bool("required")
		f.MaxBytes = int(o.int("max_bytes"))
		f.Personal = o.bool("personal")
		f.JSON = o.bool("json")
		f.Computed = o.bool("computed")
	}
	name, err := typeName(d, time)
	if err != nil {
		return nil, err
	}
	f.Type = types[name]
	if f.Type == nil {
		return nil, fmt.Errorf("the type %s is not generated", name)
	}
	text := f.Type.Name == "String"
	switch {
	case (f.JSON || f.Required || f.LowCardinality) && !text:
		return nil, fmt.Errorf("json, required and low_cardinality are for strings")
	case f.MaxBytes > 0 && !text && f.Type.Name != "Bytes":
		return nil, fmt.Errorf("max_bytes is for strings and bytes")
	}
	return f, nil
}

// typeName names the field's type as the helpers of package schemas do.
func typeName(d protoreflect.FieldDescriptor, time bool) (string, error) {
	name := map[protoreflect.Kind]string{
		protoreflect.StringKind: "String", protoreflect.BytesKind: "Bytes", protoreflect.BoolKind: "Bool",
		protoreflect.Int32Kind: "Int32", protoreflect.Int64Kind: "Int64", protoreflect.DoubleKind: "Double",
	}
	of := name[d.Kind()]
	switch {
	case d.IsMap():
		if d.MapKey().Kind() != protoreflect.StringKind {
			return "", fmt.Errorf("the keys of a map are strings")
		}
		return "Map" + name[d.MapValue().Kind()], nil
	case d.IsList():
		return of + "s", nil
	case d.HasOptionalKeyword():
		return "Opt" + of, nil
	case time && of == "Int64":
		return "Micros", nil
	case time:
		return "", fmt.Errorf("a time is an int64")
	}
	return of, nil
}

// validate checks what the compiler cannot know.
func (s *Set) validate() error {
	kinds := make(map[string]string)
	for _, m := range s.Messages {
		if m.Kind == "" {
			return fmt.Errorf("%s: the option (table) names no kind", m.Name)
		}
		if other := kinds[m.Kind]; other != "" {
			return fmt.Errorf("%s: the kind %s is %s's", m.Name, m.Kind, other)
		}
		kinds[m.Kind] = m.Name
		owner := make(map[string]string)
		for _, f := range s.Columns(m) {
			for _, name := range f.JSONNames() {
				if other := owner[name]; other != "" {
					return fmt.Errorf("%s: JSON could mean %s or %s by %q", m.Name, other, f.Name, name)
				}
				owner[name] = f.Name
			}
		}
		for _, name := range m.OrderBy {
			i := slices.IndexFunc(s.Columns(m), func(f *Field) bool { return f.Name == name })
			if i < 0 || !s.Columns(m)[i].Type.Sortable {
				return fmt.Errorf("%s: cannot be ordered by %s", m.Name, name)
			}
		}
	}
	return nil
}

// Columns are the envelope's fields and the message's own.
func (s *Set) Columns(m *Message) []*Field {
	return append(slices.Clone(s.Envelope.Fields), m.Fields...)
}

func comment(file linker.File, d protoreflect.Descriptor) string {
	return strings.TrimSpace(strings.ReplaceAll(file.SourceLocations().ByDescriptor(d).LeadingComments, "\n ", "\n"))
}

// settings is the message that an option holds.
type settings struct{ protoreflect.Message }

// option finds the extension name among the options.
func option(options protoreflect.ProtoMessage, name protoreflect.FullName) (found settings, ok bool) {
	options.ProtoReflect().Range(func(d protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if d.FullName() == name {
			found, ok = settings{v.Message()}, true
		}
		return !ok
	})
	return found, ok
}

func (s settings) get(name protoreflect.Name) protoreflect.Value {
	return s.Get(s.Descriptor().Fields().ByName(name))
}

func (s settings) string(name protoreflect.Name) string { return s.get(name).String() }
func (s settings) bool(name protoreflect.Name) bool     { return s.get(name).Bool() }
func (s settings) int(name protoreflect.Name) int64     { return s.get(name).Int() }

func (s settings) strings(name protoreflect.Name) []string {
	var all []string
	list := s.get(name).List()
	for i := range list.Len() {
		all = append(all, list.Get(i).String())
	}
	return all
}
