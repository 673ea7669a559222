package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// member is one member of a JSON object whose order is kept.
type member struct {
	name  string
	value any
}

// object is a JSON object in the order of its members.
type object []member

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// jsonSchemas writes a JSON Schema (2020-12) a kind: what producers may send of the
// input kinds, and what Millrace shows of all.
func jsonSchemas(set *Set, files map[string][]byte) error {
	for _, m := range set.Messages {
		text, err := json.MarshalIndent(jsonSchema(set, m), "", "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		files["json/"+m.Kind+".json"] = append(text, '\n')
	}
	return nil
}

func jsonSchema(set *Set, m *Message) object {
	var properties object
	var all []any
	for _, f := range set.Columns(m) {
		names := f.JSONNames()
		properties = append(properties, member{f.Name, property(f)})
		for _, name := range names[1:] {
			properties = append(properties, member{name, object{{"$ref", "#/properties/" + f.Name}}})
		}
		if f.Required {
			all = append(all, anyOf(names))
		}
	}
	schema := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:millrace:" + m.Kind},
		{"title", m.Kind},
		{"description", oneLine(m.Comment)},
		{"type", "object"},
		{"properties", properties},
		{"additionalProperties", false},
	}
	if len(all) > 0 {
		schema = append(schema, member{"allOf", all})
	}
	return schema
}

// anyOf says that a required field must be there under one of its names.
func anyOf(names []string) object {
	var some []any
	for _, name := range names {
		some = append(some, object{{"required", []string{name}}})
	}
	return object{{"anyOf", some}}
}

func property(f *Field) object {
	var o object
	if meaning := f.Meaning(); meaning != "" {
		o = append(o, member{"description", meaning})
	}
	if f.JSON {
		return o // any value
	}
	var form map[string]any
	if err := json.Unmarshal([]byte(f.Type.JSON), &form); err != nil {
		panic(fmt.Sprintf("the JSON Schema of %s: %v", f.Type.Name, err))
	}
	for _, name := range []string{"type", "items", "additionalProperties", "pattern", "format", "contentEncoding"} {
		if value, ok := form[name]; ok {
			o = append(o, member{name, value})
		}
	}
	if f.MaxBytes > 0 {
		// The limit is in bytes; a string of more characters is surely above it.
		o = append(o, member{"maxLength", f.MaxBytes})
	}
	if f.Required {
		o = append(o, member{"minLength", 1})
	}
	if f.Computed {
		o = append(o, member{"readOnly", true})
	}
	return o
}
