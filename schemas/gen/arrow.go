package main

// arrow writes the Arrow schemas.
func arrow(set *Set, files map[string][]byte) error {
	const name = "arrow/schemas.gen.go"
	p := &printer{}
	p.line("package schemaarrow\n")
	p.line("import (\n\"github.com/apache/arrow/go/v17/arrow\"\n\n\"github.com/millrace-io/millrace/schemas\"\n)\n")
	p.line("// Schema is the Arrow schema of the kind; nil for a kind that is not stored.")
	p.line("func Schema(k schemas.Kind) *arrow.Schema {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn withMeta(%sFields())", m.Name, lowerFirst(m.Name))
	}
	p.line("}\nreturn nil\n}\n")
	p.line("func envelopeFields() []arrow.Field {\nreturn []arrow.Field{")
	arrowFields(p, set.Envelope)
	p.line("}\n}\n")
	for _, m := range stored(set) {
		p.line("func %sFields() []arrow.Field {\nreturn append(envelopeFields(), []arrow.Field{", lowerFirst(m.Name))
		arrowFields(p, m)
		p.line("}...)\n}\n")
	}
	source, err := p.source(name)
	files[name] = source
	return err
}

func arrowFields(p *printer, m *Message) {
	for _, f := range m.Fields {
		if f.Type.Nullable {
			p.line("{Name: %q, Type: %s, Nullable: true},", f.Name, f.Type.Arrow)
			continue
		}
		p.line("{Name: %q, Type: %s},", f.Name, f.Type.Arrow)
	}
}
