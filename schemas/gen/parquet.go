package main

// parquet writes the rows of the lake's files. The columns are the structs' fields; the
// tags on them are written with the structs.
func parquet(set *Set, files map[string][]byte) error {
	const name = "parquet/rows.gen.go"
	p := &printer{}
	p.line("package schemaparquet\n")
	p.line("import (\n\"io\"\n\n\"github.com/parquet-go/parquet-go\"\n\n\"github.com/millrace-io/millrace/schemas\"\n)\n")
	for _, m := range stored(set) {
		p.line("// %sRow is a row of the kind %s.", m.Name, m.Kind)
		p.line("type %sRow struct {\nschemas.%s\nschemas.Meta\n}\n", m.Name, m.Name)
		p.line("func set%sRow(row *%sRow, meta *schemas.Meta, m schemas.Message) {", m.Name, m.Name)
		p.line("row.%s = *m.(*schemas.%s)\nrow.Meta = *meta\n}\n", m.Name, m.Name)
	}
	p.line("// NewWriter begins a file of the kind, compressed with zstd; options of parquet-go")
	p.line("// (key-value metadata, say) go on top. It is nil for a kind that is not stored.")
	p.line("func NewWriter(w io.Writer, k schemas.Kind, options ...parquet.WriterOption) Writer {\nswitch k {")
	for _, m := range stored(set) {
		p.line("case schemas.Kind%s:\nreturn newWriter(w, set%sRow, options)", m.Name, m.Name)
	}
	p.line("}\nreturn nil\n}")
	source, err := p.source(name)
	files[name] = source
	return err
}
