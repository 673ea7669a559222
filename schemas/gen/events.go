package main

import (
	"fmt"
	"strings"
)

// events writes each message's struct with its Protobuf and JSON forms.
func events(set *Set, files map[string][]byte) error {
	for _, m := range append([]*Message{set.Envelope}, set.Messages...) {
		p := &printer{}
		p.line("package schemas\n")
		eventStruct(p, set, m)
		if m == set.Envelope {
			envelopeForms(p, m)
		} else {
			eventForms(p, set, m)
			if err := carry(p, m); err != nil {
				return err
			}
		}
		name := m.File + ".gen.go"
		source, err := p.source(name)
		if err != nil {
			return err
		}
		files[name] = source
	}
	return nil
}

func eventStruct(p *printer, set *Set, m *Message) {
	p.comment(m.Comment)
	p.line("type %s struct {", m.Name)
	if m != set.Envelope {
		p.line("Envelope")
	}
	for _, f := range m.Fields {
		p.comment(f.Comment)
		p.line("%s %s", f.GoName, f.Type.Go)
	}
	p.line("}\n")
}

// envelopeForms writes the parts of each form that every message calls. They are
// unexported: an Envelope alone is no Message.
func envelopeForms(p *printer, m *Message) {
	p.line("func (m *Envelope) size() (n int) {")
	sizes(p, m)
	p.line("return n\n}\n")
	p.line("func (m *Envelope) marshalAppend(b []byte) []byte {")
	puts(p, m)
	p.line("return b\n}\n")
	p.line("func (m *Envelope) unmarshal(w *wireReader) {\nfor w.next() {\nswitch w.num {")
	reads(p, m)
	p.line("default:\nw.skip()\n}\n}\n}\n")
	p.line("func (m *Envelope) appendJSON(b []byte) []byte {")
	writesJSON(p, m)
	p.line("return b\n}\n")
	p.line("// readJSON reads the value of key; false where key is none of the envelope's.")
	p.line("func (m *Envelope) readJSON(r *jsonReader, key string) bool {\nswitch key {")
	readsJSON(p, m)
	p.line("default:\nreturn false\n}\nreturn true\n}\n")
	p.line("func (m *Envelope) checkValues() error {")
	checks(p, m)
	p.line("return nil\n}\n")
	p.line("func (m *Envelope) checkText() error {")
	textChecks(p, m)
	p.line("return nil\n}\n")
	p.line("// envelopeNames are the names that JSON input may use for the envelope's fields.")
	p.line("func envelopeNames() []string {\nreturn []string{%s}\n}", inputNames(m))
}

func eventForms(p *printer, set *Set, m *Message) {
	name := m.Name
	p.line("func (m *%s) Kind() Kind { return Kind%s }\n", name, name)
	p.line("func (m *%s) Env() *Envelope { return &m.Envelope }\n", name)
	p.line("func (m *%s) Reset() { *m = %s{} }\n", name, name)

	p.line("func (m *%s) Size() (n int) {", name)
	p.line("if e := m.Envelope.size(); e > 0 {\nn += sizeOfEnvelope(e)\n}")
	sizes(p, m)
	p.line("return n\n}\n")

	p.line("func (m *%s) MarshalAppend(b []byte) []byte {", name)
	p.line("if e := m.Envelope.size(); e > 0 {\nb = m.Envelope.marshalAppend(putEnvelope(b, e))\n}")
	puts(p, m)
	p.line("return b\n}\n")

	p.line("func (m *%s) Unmarshal(b []byte) error {\nm.Reset()\nw := newWireReader(b)", name)
	p.line("for w.next() {\nswitch w.num {")
	p.line("case %d:\nouter := w.enter(\"envelope\")\nm.Envelope.unmarshal(&w)\nw.leave(outer)", envelopeNumber)
	reads(p, m)
	p.line("default:\nw.skip()\n}\n}")
	p.line("if err := w.finish(); err != nil {\nreturn err\n}\nreturn m.checkValues()\n}\n")

	p.line("func (m *%s) AppendJSON(b []byte) []byte {", name)
	p.line("b = m.Envelope.appendJSON(append(b, '{'))")
	writesJSON(p, m)
	p.line("return append(b, '}')\n}\n")

	p.line("func (m *%s) DecodeJSON(b []byte) error {\nm.Reset()\nr := newJSONReader(b)", name)
	p.line("for key, ok := r.first(); ok; key, ok = r.next() {\nswitch key {")
	readsJSON(p, m)
	p.line("default:\nif !m.Envelope.readJSON(&r, key) {\nr.unknown(key, %s)\n}\n}\n}", namesCall(m))
	p.line("if err := r.finish(); err != nil {\nreturn err\n}\nreturn m.checkValues()\n}\n")

	p.line("func (m *%s) Validate() error {", name)
	p.line("if err := m.checkValues(); err != nil {\nreturn err\n}")
	p.line("if err := m.Envelope.checkText(); err != nil {\nreturn err\n}")
	textChecks(p, m)
	p.line("return nil\n}\n")

	p.line("// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text\n// that is not UTF-8.")
	p.line("func (m *%s) checkValues() error {", name)
	p.line("if err := m.Envelope.checkValues(); err != nil {\nreturn err\n}")
	checks(p, m)
	p.line("return nil\n}\n")

	p.line("func %s []string {\nreturn append(envelopeNames(), %s)\n}", namesCall(m), inputNames(m))
}

func namesCall(m *Message) string {
	return strings.ToLower(m.Name[:1]) + m.Name[1:] + "Names()"
}

// inputNames lists the names of the fields that a producer may send, as Go strings.
func inputNames(m *Message) string {
	var names []string
	for _, f := range m.Fields {
		if !f.Computed {
			names = append(names, f.JSONNames()...)
		}
	}
	return quoted(names)
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, ", ")
}

// tag is the field's number and wire type, as the wire has it.
func tag(f *Field) string { return fmt.Sprintf("%d<<3|%d", f.Number, f.Type.Wire) }

func sizes(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("n += size%s(%s, m.%s)", f.Type.Name, tag(f), f.GoName)
	}
}

func puts(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("b = put%s(b, %s, m.%s)", f.Type.Name, tag(f), f.GoName)
	}
}

func reads(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("case %d:", f.Number)
		if f.Type.Repeats {
			p.line("m.%s = w.read%s(%q, m.%s)", f.GoName, f.Type.Name, f.Name, f.GoName)
			continue
		}
		p.line("m.%s = w.read%s(%q)", f.GoName, f.Type.Name, f.Name)
	}
}

func writesJSON(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("b = json%s(b, `%q:`, m.%s)", f.Type.Name, f.Name, f.GoName)
	}
}

func readsJSON(p *printer, m *Message) {
	for _, f := range m.Fields {
		p.line("case %s:", quoted(f.JSONNames()))
		switch {
		case f.Computed:
			p.line("r.skip(%q)", f.Name)
		case f.JSON:
			p.line("m.%s = r.readJSON(%q, %d)", f.GoName, f.Name, f.MaxBytes)
		case f.Type.Name == "String" || f.Type.Name == "Bytes":
			p.line("m.%s = r.read%s(%q, %d)", f.GoName, f.Type.Name, f.Name, f.MaxBytes)
		default:
			p.line("m.%s = r.read%s(%q)", f.GoName, f.Type.Name, f.Name)
		}
	}
}

func checks(p *printer, m *Message) {
	for _, f := range m.Fields {
		if f.Required {
			p.line("if m.%s == \"\" {\nreturn missingField(%q)\n}", f.GoName, f.Name)
		}
		if f.MaxBytes > 0 {
			p.line("if len(m.%s) > %d {\nreturn tooLarge(%q, %d, len(m.%s))\n}", f.GoName, f.MaxBytes, f.Name, f.MaxBytes, f.GoName)
		}
		if f.Type.Name == "Micros" {
			p.line("if !m.%s.inRange() {\nreturn timeOutOfRange(%q)\n}", f.GoName, f.Name)
		}
	}
}

func textChecks(p *printer, m *Message) {
	for _, f := range m.Fields {
		if f.Type.Text {
			p.line("if !valid%s(m.%s) {\nreturn notUTF8(%q)\n}", f.Type.Name, f.GoName, f.Name)
		}
	}
}
