package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/millrace-io/millrace/schemas"
)

const schemasDir = ".."

// descriptors are the events' definitions by kind, as the compiler has them.
func descriptors(t *testing.T) map[schemas.Kind]protoreflect.MessageDescriptor {
	t.Helper()
	files, err := compile(filepath.Join(schemasDir, "proto"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[schemas.Kind]protoreflect.MessageDescriptor)
	for _, file := range files {
		for i := range file.Messages().Len() {
			d := file.Messages().Get(i)
			if o, ok := option(d.Options(), "millrace.v1.table"); ok {
				all[schemas.Kind(o.string("name"))] = d
			}
		}
	}
	return all
}

// The generated code and the reference implementation read what the other wrote, field
// by field: values at their bounds, zeros, and what is absent.
func TestProtobufAgreesWithTheReferenceImplementation(t *testing.T) {
	all := descriptors(t)
	if len(all) != len(schemas.Kinds()) {
		t.Errorf("%d messages are defined, %d are generated", len(all), len(schemas.Kinds()))
	}
	for kind, d := range all {
		for variant := range 40 {
			want := dynamicpb.NewMessage(d)
			fillDynamic(want, variant)
			theirs, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			m := schemas.New(kind)
			if err := m.Unmarshal(theirs); err != nil {
				t.Fatalf("%s, variant %d: Unmarshal: %v", kind, variant, err)
			}
			got := dynamicpb.NewMessage(d)
			if err := proto.Unmarshal(m.MarshalAppend(nil), got); err != nil {
				t.Fatalf("%s, variant %d: the reference implementation: %v", kind, variant, err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("%s, variant %d:\n got %v\nwant %v", kind, variant, got, want)
			}
		}
	}
}

// fillDynamic sets fields by a walk through the values that are likely to be wrong: the
// variant says where it begins and which fields are left out.
func fillDynamic(m protoreflect.Message, variant int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		d, n := fields.Get(i), variant+i
		switch {
		case d.Name() == "envelope":
			fillDynamic(m.Mutable(d).Message(), variant+1)
		case n%5 == 0 && !required(d):
			// Absent.
		case d.IsMap():
			for j := range n % 4 {
				m.Mutable(d).Map().Set(protoreflect.ValueOfString(fmt.Sprint("key", j)).MapKey(), dynamicValue(d.MapValue(), n+j))
			}
		case d.IsList():
			for j := range n % 4 {
				m.Mutable(d).List().Append(dynamicValue(d, n+j))
			}
		default:
			m.Set(d, dynamicValue(d, n))
		}
	}
}

func required(d protoreflect.FieldDescriptor) bool {
	o, ok := option(d.Options(), "millrace.v1.column")
	return ok && o.bool("required")
}

func dynamicValue(d protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch d.Kind() {
	case protoreflect.StringKind:
		if required(d) {
			return protoreflect.ValueOfString("required")
		}
		return protoreflect.ValueOfString([]string{"", "a", "€😀"}[n%3])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([][]byte{nil, {0xff}, make([]byte, 300)}[n%3])
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32([]int32{0, 1, -1, math.MaxInt32, math.MinInt32}[n%5])
	case protoreflect.Int64Kind:
		if o, ok := option(d.Options(), "millrace.v1.column"); ok && o.bool("time") {
			return protoreflect.ValueOfInt64([]int64{0, 1, -1, 1_719_792_000_123_456}[n%4])
		}
		return protoreflect.ValueOfInt64([]int64{0, 1, -1, math.MaxInt64, math.MinInt64}[n%5])
	default:
		return protoreflect.ValueOfFloat64([]float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.MaxFloat64}[n%5])
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	newer := []byte("\x12\x05hello\xf8\x3f\x07\xfa\x3f\x03abc\xf3\x3f\x08\x01\xf4\x3f\xfd\x3f\x00\x00\x00\x00\xf9\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x32\x01l")
	m := new(schemas.Text)
	if err := m.Unmarshal(newer); err != nil || m.Text != "hello" || m.Label != "l" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestFilesAreCurrent(t *testing.T) {
	if err := run(schemasDir, true); err != nil {
		t.Error(err)
	}
}

// Copies of the definitions with one thing wrong are refused, with a word on what.
func TestWrongDefinitionsAreRefused(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"text.proto", `name: "text"`, `name: "feedback"`, "kind"},
		{"text.proto", `option (table) = {name: "text", input: true};`, ``, "names no kind"},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", "bytes data = 3 [(column) = {json: true}];", "for strings"},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", "float data = 3;", "not generated"},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", "string data = 3 [(column) = {time: true}];", "time is an int64"},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", "map<int64, string> data = 3;", "keys"},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", `string data = 3 [(column) = {aliases: ["id"]}];`, `by "id"`},
		{"text.proto", "bytes data = 3 [(column) = {consumed: true}];", "bytes data = 3;", "carried by hand"},
		{"clean_text.proto", `carries: "Text"`, `carries: "Txt"`, "carries Txt"},
		{"rejected.proto", `"rule", "arrived_at"`, `"scores"`, "ordered by scores"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(schemasDir, "proto"))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		set, err := load(dir)
		if err == nil {
			err = events(set, map[string][]byte{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %s: %v, want a word on %q", c.new, c.file, err, c.want)
		}
	}
}

// TestCarried checks that a field that is added to a text is one of its clean form too,
// with its comment and options, under a number of its own.
func TestCarried(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(schemasDir, "proto"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "text.proto")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := strings.LastIndexByte(string(text), '}')
	added := "  // What the customer pays,\n  // by plan.\n  string of_the_test = 801 [(column) = {\n    low_cardinality: true, max_bytes: 8}];\n  repeated string many_of_the_test = 802;\n"
	if err := os.WriteFile(path, []byte(string(text[:end])+added+string(text[end:])), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []Field
	for _, m := range set.Messages {
		if m.Name == "CleanText" {
			for _, f := range m.Fields[len(m.Fields)-2:] {
				got = append(got, *f)
			}
		}
	}
	if f := got[0]; f.Name != "of_the_test" || f.Number != 1801 || f.MaxBytes != 8 || !f.LowCardinality || oneLine(f.Comment) != "What the customer pays, by plan." {
		t.Errorf("the text's field is carried as %+v", f)
	}
	if f := got[1]; f.Name != "many_of_the_test" || f.Number != 1802 || f.Type.Name != "Strings" {
		t.Errorf("the text's field is carried as %+v", f)
	}
	files := map[string][]byte{}
	if err := events(set, files); err != nil {
		t.Fatal(err)
	}
	if code := string(files["clean_text.gen.go"]); !strings.Contains(code, "m.OfTheTest = clean(from.OfTheTest)") || !strings.Contains(code, "clean(s)") {
		t.Errorf("it is not taken over:\n%s", code)
	}
}

func TestStaleFilesAreNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "schemas")
	if err := os.CopyFS(filepath.Join(dir, "proto"), os.DirFS(filepath.Join(schemasDir, "proto"))); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, true); err != nil {
		t.Errorf("what was just written is stale: %v", err)
	}
	for name, content := range map[string]string{"text.gen.go": "package schemas", "gone.gen.go": "package schemas"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir, true); err == nil || !strings.HasSuffix(err.Error(), ": gone.gen.go, text.gen.go") {
		t.Errorf("got %v", err)
	}
	if err := run(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, true); err != nil {
		t.Error(err)
	}
}
