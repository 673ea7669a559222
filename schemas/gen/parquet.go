package main

import "strings"

// parquet writes the rows of the lake's files.
//
// The event's fields stand in the row itself and not in an embedded struct: parquet-go
// (issue 163) reads a null into an embedded struct's pointer as a pointer to zero. Meta
// has no pointers.
func parquet(set *Set, files map[string][]byte) error {
	const name = "parquet/rows.gen.go"
	p := &printer{}
	p.line("package schemaparquet\n")
	p.line("import (\n\"io\"\n\n\"github.com/parquet-go/parquet-go\"\n\n\"github.com/millrace-io/millrace/schemas\"\n)\n")
	for _, m := range stored(set) {
		row := m.Name + "Row"
		p.line("// %s is a row of the kind %s. Where the event has a field Topic, Partition or\n// Offset, the record's own is in Meta.", row, m.Kind)
		p.line("type %s struct {", row)
		for _, f := range set.Columns(m) {
			p.line("%s %s `parquet:%q`", f.GoName, strings.Replace(f.Type.Go, "Micros", "schemas.Micros", 1), parquetTag(f))
		}
		p.line("schemas.Meta\n}\n")

		p.line("// Event is the event of the row; it shares the row's maps and slices.")
		p.line("func (r *%s) Event() *schemas.%s {\nreturn &schemas.%s{\nEnvelope: schemas.Envelope{", row, m.Name, m.Name)
		rowFields(p, set.Envelope, "r")
		p.line("},")
		rowFields(p, m, "r")
		p.line("}\n}\n")

		p.line("func set%s(r *%s, meta *schemas.Meta, m schemas.Message) {\ne := m.(*schemas.%s)\n*r = %s{", row, row, m.Name, row)
		for _, part := range []*Message{set.Envelope, m} {
			rowFields(p, part, "e")
		}
		p.line("Meta: *meta,\n}\n}\n")
	}
	p.line("// NewWriter begins a file of the kind, compressed with zstd; options of parquet-go")
	p.line("// (key-value metadata, say) go on top. It is nil for a kind that is not stored.")
	p.line("func NewWriter(w io.Writer, k schemas.Kind, options ...parquet.WriterOption) Writer {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn newWriter(w, set%sRow, options)", m.Name, m.Name)
	}
	p.line("}\nreturn nil\n}\n")
	p.line("// NewReader reads a file of the kind; nil for a kind that is not stored.")
	p.line("func NewReader(f *parquet.File, k schemas.Kind) (Reader, error) {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn newReader(f, func(r *%sRow) (*schemas.Meta, schemas.Message) { return &r.Meta, r.Event() })", m.Name, m.Name)
	}
	p.line("}\nreturn nil, nil\n}")
	source, err := p.source(name)
	files[name] = source
	return err
}

func rowFields(p *printer, m *Message, from string) {
	for _, f := range m.Fields {
		p.line("%s: %s.%s,", f.GoName, from, f.GoName)
	}
}

func parquetTag(f *Field) string {
	tag := f.Name
	if f.Type.Parquet != "" {
		tag += "," + f.Type.Parquet
	}
	if f.LowCardinality {
		tag += ",dict"
	}
	return tag
}
