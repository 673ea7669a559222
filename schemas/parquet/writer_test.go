package schemaparquet

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"

	"github.com/millrace-io/millrace/schemas"
	schemaarrow "github.com/millrace-io/millrace/schemas/arrow"
	"github.com/millrace-io/millrace/schemas/internal/sample"
)

// event is a message of the kind and the identity of its record; 0 is an empty one.
func event(k schemas.Kind, n int) (*schemas.Meta, schemas.Message) {
	meta, m := &schemas.Meta{}, schemas.New(k)
	if n > 0 {
		sample.Fill(meta, n)
		sample.Fill(m, n)
	}
	return meta, m
}

func written(t testing.TB, k schemas.Kind, rows int) []byte {
	t.Helper()
	var file bytes.Buffer
	w := NewWriter(&file, k, parquet.KeyValueMetadata("range", "[0, 9)"))
	for n := range rows {
		meta, m := event(k, n)
		if err := w.Write(meta, m); err != nil {
			t.Fatalf("%s: %v", k, err)
		}
	}
	if w.Rows() != int64(rows) {
		t.Errorf("%s: Rows is %d, want %d", k, w.Rows(), rows)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%s: %v", k, err)
	}
	return file.Bytes()
}

func TestColumnsOfFiles(t *testing.T) {
	for _, k := range schemas.StoredKinds() {
		data := written(t, k, 3)
		f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if v, _ := f.Lookup("range"); v != "[0, 9)" || f.NumRows() != 3 {
			t.Errorf("%s: range is %q, %d rows", k, v, f.NumRows())
		}
		var got []string
		for _, c := range f.Root().Columns() {
			got = append(got, c.Name()+" "+shape(c))
		}
		var want []string
		for _, field := range schemaarrow.Schema(k).Fields() {
			want = append(want, field.Name+" "+arrowShape(field))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: columns\n got %q\nwant %q", k, got, want)
		}
		for _, column := range f.Metadata().RowGroups[0].Columns {
			if column.MetaData.Codec.String() != "ZSTD" {
				t.Errorf("%s: the codec of %v is %s", k, column.MetaData.PathInSchema, column.MetaData.Codec)
			}
		}
	}
}

// shape names a column's type as the file has it.
func shape(c *parquet.Column) string {
	s := c.Type().String()
	if logical := c.Type().LogicalType(); logical != nil {
		s = logical.String()
	}
	if c.Optional() {
		s += "?"
	}
	return s
}

// arrowShape is the shape of the column that belongs to an Arrow field.
func arrowShape(f arrow.Field) string {
	s := map[arrow.Type]string{
		arrow.STRING: "STRING", arrow.INT32: "INT(32,true)", arrow.INT64: "INT(64,true)", arrow.FLOAT64: "DOUBLE",
		arrow.BOOL: "BOOLEAN", arrow.LIST: "LIST", arrow.MAP: "MAP",
		arrow.TIMESTAMP: "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)",
	}[f.Type.ID()]
	if f.Nullable {
		s += "?"
	}
	return s
}

func TestRowsReadBack(t *testing.T) {
	const rows = 2*rowsAtOnce + 5
	data := written(t, schemas.KindInference, rows)
	r := parquet.NewGenericReader[InferenceRow](bytes.NewReader(data))
	got := make([]InferenceRow, rows+1)
	if n, err := r.Read(got); n != rows || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d rows, %v", n, err)
	}
	for n := range rows {
		meta, m := event(schemas.KindInference, n)
		want := m.(*schemas.Inference)
		if n == 0 { // Parquet has no nil lists and maps
			want.RequestStopSequences, want.ResponseFinishReasons = []string{}, []string{}
			want.Attributes = map[string]string{}
		}
		if event := got[n].Event(); !reflect.DeepEqual(event, want) || got[n].Meta != *meta {
			t.Fatalf("row %d:\n got %+v\nwant %+v", n, event, want)
		}
	}
}

func TestTheSameRowsGiveTheSameBytes(t *testing.T) {
	for _, k := range schemas.StoredKinds() {
		if !bytes.Equal(written(t, k, 100), written(t, k, 100)) {
			t.Errorf("%s: two files of the same rows differ", k)
		}
	}
}

func TestKindsThatAreNotStoredHaveNoWriter(t *testing.T) {
	if NewWriter(io.Discard, schemas.KindText) != nil || NewWriter(io.Discard, "nothing") != nil {
		t.Error("there is a writer")
	}
}

func BenchmarkWriter(b *testing.B) {
	m := &schemas.CleanText{
		Envelope: schemas.Envelope{Tenant: "acme", EventID: "2f9qXb3s8v0Yx1kJm5Lw7TzRc4d", EventTime: 1_720_000_000_000_000, Source: "support"},
		Text:     strings.Repeat("a few words of text ", 50), ContentType: "text/plain", Language: "en",
		Attributes: map[string]string{"folder": "inbox"}, Characters: 1000, Quality: .9,
	}
	meta := &schemas.Meta{Topic: "clean.text", Step: "clean"}
	w := NewWriter(io.Discard, schemas.KindCleanText)
	b.ReportAllocs()
	for b.Loop() {
		meta.Offset++
		if err := w.Write(meta, m); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
