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
		meta.TopicID = "" // a file does not repeat it
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

// read returns what a file holds of a kind.
func read(data []byte, k schemas.Kind) (metas []schemas.Meta, events []schemas.Message, err error) {
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	r, err := NewReader(f, k)
	if err != nil {
		return nil, nil, err
	}
	for {
		meta, m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return metas, events, r.Close()
		}
		if err != nil {
			return nil, nil, err
		}
		metas, events = append(metas, *meta), append(events, m)
	}
}

// TestReader reads files of every kind; what is written of what was read must be the same
// file.
func TestReader(t *testing.T) {
	for _, k := range schemas.StoredKinds() {
		for _, rows := range []int{0, 1, rowsAtOnce, 3*rowsAtOnce + 5} {
			data := written(t, k, rows)
			metas, events, err := read(data, k)
			if err != nil || len(events) != rows {
				t.Fatalf("%s: %d rows of %d: %v", k, len(events), rows, err)
			}
			var again bytes.Buffer
			w := NewWriter(&again, k, parquet.KeyValueMetadata("range", "[0, 9)"))
			for i, m := range events {
				meta, want := event(k, i)
				if metas[i] != *meta || !bytes.Equal(m.MarshalAppend(nil), want.MarshalAppend(nil)) {
					t.Fatalf("%s: row %d:\n got %+v %+v\nwant %+v %+v", k, i, metas[i], m, *meta, want)
				}
				if err := w.Write(&metas[i], m); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil || !bytes.Equal(again.Bytes(), data) {
				t.Errorf("%s: the file of what was read of %d rows differs, %v", k, rows, err)
			}
		}
	}
}

// TestEndGroup ends row groups by hand: the rows are those that they were.
func TestEndGroup(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file, schemas.KindCleanText)
	for n := range 10 {
		meta, m := event(schemas.KindCleanText, n)
		if err := w.Write(meta, m); err != nil {
			t.Fatal(err)
		}
		if n%4 == 3 {
			if err := w.EndGroup(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || len(f.RowGroups()) != 3 {
		t.Fatalf("there are %d row groups, %v; want 3", len(f.RowGroups()), err)
	}
	metas, events, err := read(file.Bytes(), schemas.KindCleanText)
	if err != nil || len(events) != 10 {
		t.Fatalf("%d rows of 10: %v", len(events), err)
	}
	for n := range events {
		if meta, want := event(schemas.KindCleanText, n); metas[n] != *meta || !bytes.Equal(events[n].MarshalAppend(nil), want.MarshalAppend(nil)) {
			t.Errorf("row %d is %+v, want %+v", n, events[n], want)
		}
	}
}

// TestOtherVersions reads a file that lacks columns, and one that has a column which is
// not known.
func TestOtherVersions(t *testing.T) {
	type old struct {
		Tenant string `parquet:"tenant"`
		Offset int64  `parquet:"_offset"`
	}
	type newer struct {
		old
		Shade string `parquet:"shade"`
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, []old{{"acme", 7}, {"beta", 8}}); err != nil {
		t.Fatal(err)
	}
	metas, events, err := read(file.Bytes(), schemas.KindRejected)
	if err != nil || len(events) != 2 || metas[1] != (schemas.Meta{Offset: 8}) || events[1].Env().Tenant != "beta" || events[1].(*schemas.Rejected).Rule != "" {
		t.Errorf("a file of fewer columns: %+v, %+v, %v", metas, events, err)
	}
	file.Reset()
	if err := parquet.Write(&file, []newer{{old{"acme", 7}, "blue"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(file.Bytes(), schemas.KindRejected); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "shade") {
		t.Errorf("a file of a column that is not known: %v; want ErrNewer and the column's name", err)
	}
}
