package main

import (
	"fmt"
	"strings"
)

func clickhouseType(f *Field) string {
	if f.LowCardinality {
		return "LowCardinality(" + f.Type.ClickHouse + ")"
	}
	return f.Type.ClickHouse
}

func columnBuffer(f *Field) string {
	if f.LowCardinality {
		return "dictColumn"
	}
	return f.Type.Column
}

// clickhouse writes the columns of the tables, and the buffers that fill them.
func clickhouse(set *Set, files map[string][]byte) error {
	for name, each := range map[string]func(*printer, *Set){
		"clickhouse/tables.gen.go": tables, "clickhouse/columns.gen.go": buffers,
	} {
		p := &printer{}
		p.line("package schemaclickhouse\n")
		p.line("import \"github.com/millrace-io/millrace/schemas\"\n")
		each(p, set)
		source, err := p.source(name)
		if err != nil {
			return err
		}
		files[name] = source
	}
	return nil
}

func tables(p *printer, set *Set) {
	p.line("// table is the event's columns and the columns that lead the sort key behind tenant;")
	p.line("// nil for a kind that is not stored.")
	p.line("func table(k schemas.Kind) (columns []tableColumn, orderBy []string) {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn %sTable(), []string{%s}", m.Name, lowerFirst(m.Name), quoted(m.OrderBy))
	}
	p.line("}\nreturn nil, nil\n}\n")
	p.line("func envelopeTable() []tableColumn {\nreturn []tableColumn{")
	tableColumns(p, set.Envelope)
	p.line("}\n}\n")
	for _, m := range stored(set) {
		p.line("func %sTable() []tableColumn {\nreturn append(envelopeTable(), []tableColumn{", lowerFirst(m.Name))
		tableColumns(p, m)
		p.line("}...)\n}\n")
	}
}

func tableColumns(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("{%q, %q, %q},", f.Name, clickhouseType(f), f.Meaning())
	}
}

func buffers(p *printer, set *Set) {
	p.line("// NewColumns is an empty buffer for the kind's table; nil for a kind that is not stored.")
	p.line("func NewColumns(k schemas.Kind) Columns {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn new%sColumns()", m.Name, m.Name)
	}
	p.line("}\nreturn nil\n}\n")

	p.line("type envelopeBuffers struct {")
	bufferFields(p, set.Envelope)
	p.line("}\n\nfunc (c *envelopeBuffers) addEnvelope(e *schemas.Envelope) {")
	bufferAdds(p, set.Envelope)
	p.line("}\n\nfunc (c *envelopeBuffers) envelope() []column {\nreturn []column{%s}\n}\n", bufferList(set.Envelope))

	for _, m := range stored(set) {
		name := lowerFirst(m.Name) + "Columns"
		p.line("type %s struct {\nbuffers\nenvelopeBuffers", name)
		bufferFields(p, m)
		p.line("metaBuffers\n}\n")
		p.line("func new%sColumns() *%s {\nc := &%s{}", m.Name, name, name)
		p.line("c.all = append(c.envelope(), %s)", bufferList(m))
		p.line("c.all = append(c.all, c.meta()...)\nreturn c\n}\n")
		p.line("func (c *%s) Append(meta *schemas.Meta, m schemas.Message) {\ne := m.(*schemas.%s)", name, m.Name)
		p.line("c.addEnvelope(&e.Envelope)")
		bufferAdds(p, m)
		p.line("c.addMeta(meta)\nc.rows++\n}\n")
	}
}

// bufferName is unlike every name that the embedded structs promote.
func bufferName(f *Field) string { return "col" + f.GoName }

func bufferFields(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("%s %s", bufferName(f), columnBuffer(f))
	}
}

func bufferAdds(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("c.%s.add(e.%s)", bufferName(f), f.GoName)
	}
}

func bufferList(m *Message) string {
	all := make([]string, len(m.Fields))
	for i, f := range m.Fields {
		all[i] = fmt.Sprintf("&c.%s", bufferName(f))
	}
	return strings.Join(all, ", ")
}

func stored(set *Set) []*Message {
	var all []*Message
	for _, m := range set.Messages {
		if m.Stored() {
			all = append(all, m)
		}
	}
	return all
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
