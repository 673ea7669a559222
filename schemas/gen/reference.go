package main

import (
	"fmt"
	"strings"
)

// reference writes docs/schemas.md.
func reference(set *Set, files map[string][]byte) error {
	p := &printer{}
	p.line("<!-- Generated from schemas/proto by schemas/gen. Change it there. -->\n")
	p.line("# Events, their fields, tables and files\n")
	p.line("%s\n", strings.TrimSpace(referenceIntro))
	p.line("| kind | what it is | producers may write it | table |\n| --- | --- | --- | --- |")
	for _, m := range set.Messages {
		p.line("| [`%s`](#%s) | %s | %s | %s |", m.Kind, m.Kind, cell(firstSentence(m.Comment)), yes(m.Input), yes(m.Stored()))
	}
	p.line("\n## The envelope\n\n%s\n", oneLine(set.Envelope.Comment))
	fieldTable(p, set.Envelope)
	for _, m := range set.Messages {
		p.line("\n## %s\n\n%s", m.Kind, oneLine(m.Comment))
		if m.Claim {
			p.line("\nClients claim it as `%s_claim`; the registry's answer is the `%s` that counts.", m.Kind, m.Kind)
		}
		if m.Stored() {
			p.line("\nSorted by `tenant`, `%s`, and the record's identity.", strings.Join(m.OrderBy, "`, `"))
		}
		p.line("")
		fieldTable(p, m)
	}
	files["../docs/schemas.md"] = p.Bytes()
	return nil
}

const referenceIntro = `
Every event has the fields of the [envelope](#the-envelope) and its own; in JSON, in SQL and in Parquet they stand side by side. The definitions are ` + "`schemas/proto/*.proto`" + `; ` + "`schemas/json/*.json`" + ` is a JSON Schema for each.

**JSON input.** One object an event. A field may be called by its name, by its OpenTelemetry name, in camelCase, or by a name under "also". A field that is null is a field that is not there; of a field that comes twice the last counts. A name that no field has is an error, which names the nearest; what is your own goes under ` + "`attributes`" + `. Times are RFC 3339, or a number of seconds (below 10^11), milliseconds (below 10^14), microseconds (below 10^17) or nanoseconds since 1970. Whole numbers may be given as a string of digits, other numbers not. Bytes are base64. A field "as JSON" takes a string as it is and any other value as compact JSON text; so do values under ` + "`attributes`" + `. Computed fields are ignored.

**Errors** name a class, the field, the problem and the byte: ` + "`invalid_json`, `invalid_protobuf`, `invalid_field`, `missing_field`, `unknown_field`, `too_large`" + `.

**Stored rows** have these columns besides: ` + "`_topic`, `_partition`, `_offset`" + ` (where the record lies), ` + "`_step`" + ` (which stage wrote it), ` + "`_origin_topic_id`, `_origin_partition`, `_origin_offset`, `_origin_index`" + ` (what it was made of), and in ClickHouse ` + "`_topic_id`" + ` (a topic that is made anew has another; the names of the files in the lake have its beginning) and ` + "`_stored_at`" + `. ClickHouse keeps times from 1900 to April 2262; one outside is stored as the bound. The Parquet and Arrow columns have the same names; an absent time is 1970-01-01.
`

func fieldTable(p *printer, m *Message) {
	p.line("| field | JSON | ClickHouse | meaning |\n| --- | --- | --- | --- |")
	for _, f := range m.Fields {
		column := "`" + clickhouseType(f) + "`"
		if m.Kind != "" && !m.Stored() {
			column = ""
		}
		p.line("| `%s` | %s | %s | %s |", f.Name, cell(jsonForm(f)), column, cell(meaning(f)))
	}
}

// jsonForm says what JSON takes for the field, and under which other names.
func jsonForm(f *Field) string {
	s := f.Type.Shown
	if f.JSON {
		s = "as JSON"
	}
	if f.OTel != "" {
		s += "; `" + f.OTel + "`"
	}
	if len(f.Aliases) > 0 {
		s += "; also `" + strings.Join(f.Aliases, "`, `") + "`"
	}
	return s
}

func meaning(f *Field) string {
	s := f.Meaning()
	var notes []string
	if f.Required {
		notes = append(notes, "Required.")
	}
	if f.MaxBytes > 0 {
		notes = append(notes, fmt.Sprintf("At most %d bytes.", f.MaxBytes))
	}
	if f.Personal {
		notes = append(notes, "Redacted.")
	}
	if f.Computed {
		notes = append(notes, "Computed.")
	}
	return strings.TrimSpace(s + " " + strings.Join(notes, " "))
}

func firstSentence(s string) string {
	s = oneLine(s)
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
