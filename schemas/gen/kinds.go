package main

// kinds writes what says which kinds there are.
func kinds(set *Set, files map[string][]byte) error {
	p := &printer{}
	p.line("package schemas\n")
	p.line("// The kinds of the messages.")
	p.line("const (")
	for _, m := range set.Messages {
		p.line("Kind%s Kind = %q", m.Name, m.Kind)
	}
	p.line(")\n")
	p.line("// The kinds of claims.")
	p.line("const (")
	for _, m := range set.Messages {
		if m.Claim {
			p.line("Kind%sClaim = Kind%s + claimSuffix", m.Name, m.Name)
		}
	}
	p.line(")\n")

	p.line("// New is an empty message of the kind, or of the kind that it claims; nil for an\n// unknown kind.")
	p.line("func New(k Kind) Message {\nif of, ok := k.Claim(); ok {\nk = of\n}\nswitch k {")
	for _, m := range set.Messages {
		p.line("case Kind%s:\nreturn new(%s)", m.Name, m.Name)
	}
	p.line("}\nreturn nil\n}\n")

	list := func(comment, name string, want func(*Message) bool) {
		p.comment(comment)
		p.line("func %s() []Kind {\nreturn []Kind{", name)
		for _, m := range set.Messages {
			if want(m) {
				p.line("Kind%s,", m.Name)
			}
		}
		p.line("}\n}\n")
	}
	list("Kinds are all kinds but claims.", "Kinds", func(*Message) bool { return true })
	list("StoredKinds are the kinds that have a table and a folder in the lake.", "StoredKinds", (*Message).Stored)

	predicate := func(comment, name string, want func(*Message) bool) {
		p.comment(comment)
		p.line("func (k Kind) %s() bool {\nswitch k {", name)
		for _, m := range set.Messages {
			if want(m) {
				p.line("case Kind%s:\nreturn true", m.Name)
			}
		}
		p.line("}\nreturn false\n}\n")
	}
	predicate("Input says whether producers outside Millrace may write k.", "Input", func(m *Message) bool { return m.Input })
	predicate("Stored says whether k has a table and a folder in the lake.", "Stored", (*Message).Stored)
	predicate("claimable says whether there are claims of k.", "claimable", func(m *Message) bool { return m.Claim })

	source, err := p.source("kinds.gen.go")
	files["kinds.gen.go"] = source
	return err
}
