package main

import "strings"

// Type is what a field may be, in each language that is generated.
type Type struct {
	// Name ends the names of the helpers in package schemas: sizeString, putString,
	// jsonString, readString.
	Name string
	// Wire is the number of the Protobuf wire type.
	Wire int
	Go   string
	// Proto is the type as a definition writes it.
	Proto string
	// ClickHouse is the column's type; String stands for what low_cardinality decides.
	ClickHouse string
	// Column is the Go type of the buffer in schemas/clickhouse.
	Column string
	// Parquet is what the struct tag says behind the name.
	Parquet string
	// Arrow is the Go expression of the type; Nullable says whether a value may be
	// absent.
	Arrow    string
	Nullable bool
	// JSON is the type in JSON Schema, as JSON.
	JSON string
	// Shown is what JSON input gives, for the reference.
	Shown    string
	Sortable bool
	// Repeats says that the readers of Protobuf and the generated code hand the value
	// so far to the helper.
	Repeats bool
	// Text says that a value holds strings, which are UTF-8.
	Text bool
}

const (
	wireVarint = 0
	wireFixed  = 1
	wireBytes  = 2
)

// types are all types of fields that the generator knows, by name.
var types = map[string]*Type{
	"String": {
		Name: "String", Text: true, Wire: wireBytes, Go: "string", Proto: "string", ClickHouse: "String", Column: "plainColumn[string]",
		Arrow: "arrow.BinaryTypes.String", JSON: `{"type": "string"}`, Shown: "string", Sortable: true,
	},
	"Bytes": {
		Name: "Bytes", Wire: wireBytes, Go: "[]byte", Proto: "bytes", ClickHouse: "String", Column: "plainColumn[[]byte]",
		Arrow: "arrow.BinaryTypes.Binary", JSON: `{"type": "string", "contentEncoding": "base64"}`, Shown: "string in base64",
	},
	"Bool": {
		Name: "Bool", Wire: wireVarint, Go: "bool", Proto: "bool", ClickHouse: "Bool", Column: "plainColumn[bool]",
		Arrow: "arrow.FixedWidthTypes.Boolean", JSON: `{"type": "boolean"}`, Shown: "boolean", Sortable: true,
	},
	"Int32": {
		Name: "Int32", Wire: wireVarint, Go: "int32", Proto: "int32", ClickHouse: "Int32", Column: "plainColumn[int32]",
		Arrow: "arrow.PrimitiveTypes.Int32", JSON: `{"type": "integer"}`, Shown: "whole number", Sortable: true,
	},
	"Int64": {
		Name: "Int64", Wire: wireVarint, Go: "int64", Proto: "int64", ClickHouse: "Int64", Column: "plainColumn[int64]",
		Arrow: "arrow.PrimitiveTypes.Int64", JSON: `{"type": ["integer", "string"], "pattern": "^-?(0|[1-9][0-9]*)$"}`,
		Shown: "whole number", Sortable: true,
	},
	"Double": {
		Name: "Double", Wire: wireFixed, Go: "float64", Proto: "double", ClickHouse: "Float64", Column: "plainColumn[float64]",
		Arrow: "arrow.PrimitiveTypes.Float64", JSON: `{"type": "number"}`, Shown: "number", Sortable: true,
	},
	"Micros": {
		Name: "Micros", Wire: wireVarint, Go: "Micros", Proto: "int64", ClickHouse: "DateTime64(6, 'UTC')", Column: "timeColumn",
		Parquet: "timestamp(microsecond)", Arrow: "arrow.FixedWidthTypes.Timestamp_us",
		JSON:  `{"type": ["string", "number"], "format": "date-time"}`,
		Shown: "time: RFC 3339, or a number since 1970", Sortable: true,
	},
	"OptBool": {
		Name: "OptBool", Wire: wireVarint, Go: "*bool", Proto: "optional bool", ClickHouse: "Nullable(Bool)", Column: "plainColumn[*bool]",
		Arrow: "arrow.FixedWidthTypes.Boolean", Nullable: true,
		JSON: `{"type": "boolean"}`, Shown: "boolean",
	},
	"OptInt64": {
		Name: "OptInt64", Wire: wireVarint, Go: "*int64", Proto: "optional int64", ClickHouse: "Nullable(Int64)", Column: "plainColumn[*int64]",
		Arrow: "arrow.PrimitiveTypes.Int64", Nullable: true,
		JSON: `{"type": ["integer", "string"], "pattern": "^-?(0|[1-9][0-9]*)$"}`, Shown: "whole number",
	},
	"OptDouble": {
		Name: "OptDouble", Wire: wireFixed, Go: "*float64", Proto: "optional double", ClickHouse: "Nullable(Float64)", Column: "plainColumn[*float64]",
		Arrow: "arrow.PrimitiveTypes.Float64", Nullable: true,
		JSON: `{"type": "number"}`, Shown: "number",
	},
	"Strings": {
		Name: "Strings", Text: true, Wire: wireBytes, Go: "[]string", Proto: "repeated string", ClickHouse: "Array(String)", Column: "stringsColumn",
		Parquet: "list", Arrow: "listOf(arrow.BinaryTypes.String)", Repeats: true,
		JSON: `{"type": "array", "items": {"type": "string"}}`, Shown: "array of strings",
	},
	"MapString": {
		Name: "MapString", Text: true, Wire: wireBytes, Go: "map[string]string", Proto: "map<string, string>",
		ClickHouse: "Map(LowCardinality(String), String)", Column: "mapColumn[string]",
		Arrow: "mapOf(arrow.BinaryTypes.String)", Repeats: true,
		JSON: `{"type": "object"}`, Shown: "object; a value that is no string is kept as JSON text",
	},
	"MapInt64": {
		Name: "MapInt64", Text: true, Wire: wireBytes, Go: "map[string]int64", Proto: "map<string, int64>",
		ClickHouse: "Map(LowCardinality(String), Int64)", Column: "mapColumn[int64]",
		Arrow: "mapOf(arrow.PrimitiveTypes.Int64)", Repeats: true,
		JSON: `{"type": "object", "additionalProperties": {"type": "integer"}}`, Shown: "object of whole numbers",
	},
	"MapDouble": {
		Name: "MapDouble", Text: true, Wire: wireBytes, Go: "map[string]float64", Proto: "map<string, double>",
		ClickHouse: "Map(LowCardinality(String), Float64)", Column: "mapColumn[float64]",
		Arrow: "mapOf(arrow.PrimitiveTypes.Float64)", Repeats: true,
		JSON: `{"type": "object", "additionalProperties": {"type": "number"}}`, Shown: "object of numbers",
	},
}

// initialisms are written in capitals in Go names.
var initialisms = map[string]string{"id": "ID", "url": "URL", "usd": "USD"}

func goName(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if up, ok := initialisms[word]; ok {
			b.WriteString(up)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// camelCase is the name that protojson would use.
func camelCase(snake string) string {
	words := strings.Split(snake, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
