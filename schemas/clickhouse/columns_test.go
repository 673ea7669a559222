package schemaclickhouse

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/schemas/internal/sample"
)

// block is the driver's own block behind the driver's batch: what a connection would
// send, without the connection.
type block struct {
	driver.Batch
	native  proto.Block
	encoded chproto.Buffer
}

func newBlock(t testing.TB, k schemas.Kind) *block {
	t.Helper()
	b := &block{}
	b.native.ServerContext = &chcolumn.ServerContext{Timezone: time.UTC}
	for _, c := range InsertTypes(k) {
		if err := b.native.AddColumn(c.Name, chcolumn.Type(c.Type)); err != nil {
			t.Fatalf("%s: column %s %s: %v", k, c.Name, c.Type, err)
		}
	}
	return b
}

func (b *block) Column(i int) driver.BatchColumn { return blockColumn{b.native.Columns[i]} }

func (b *block) Send() error { return b.native.Encode(&b.encoded, 0) }

type blockColumn struct{ chcolumn.Interface }

func (c blockColumn) Append(v any) error {
	_, err := c.Interface.Append(v)
	return err
}

// values are v's fields in the order of the columns, as the driver gives them back.
func values(v reflect.Value) []any {
	var all []any
	for i := range v.NumField() {
		switch f := v.Field(i); x := f.Interface().(type) {
		case schemas.Envelope:
			all = append(all, values(f)...)
		case schemas.Micros:
			all = append(all, x.Time())
		default:
			all = append(all, x)
		}
	}
	return all
}

func TestColumnsGiveBackWhatWasAppended(t *testing.T) {
	for _, k := range schemas.StoredKinds() {
		const rows = 3
		columns := NewColumns(k)
		var want [][]any
		for round := range 2 {
			columns.Reset()
			want = nil
			for row := range rows {
				var meta schemas.Meta
				m := schemas.New(k)
				if row > 0 { // the first row is empty
					sample.Fill(m, 10*row+round)
					sample.Fill(&meta, 20*row+round)
				}
				columns.Append(&meta, m)
				want = append(want, append(values(reflect.ValueOf(m).Elem()), values(reflect.ValueOf(meta))...))
			}
		}
		if columns.Rows() != rows {
			t.Errorf("%s: %d rows", k, columns.Rows())
		}
		sent := newBlock(t, k)
		if err := errors.Join(columns.Flush(sent), sent.Send()); err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if columns.Rows() != 0 {
			t.Errorf("%s: %d rows behind a flush", k, columns.Rows())
		}
		got := newBlock(t, k)
		got.native.Columns = nil
		if err := got.native.Decode(chproto.NewReader(bytes.NewReader(sent.encoded.Buf)), 0); err != nil {
			t.Fatalf("%s: decode: %v", k, err)
		}
		for row := range rows {
			for i, c := range got.native.Columns {
				if g, w := normal(c.Row(row, false)), normal(want[row][i]); !reflect.DeepEqual(g, w) {
					t.Errorf("%s.%s, row %d: got %#v, want %#v", k, c.Name(), row, g, w)
				}
			}
		}
	}
}

// normal follows pointers, and takes nil slices and maps for empty ones.
func normal(v any) any {
	if t, ok := v.(time.Time); ok {
		return t.UTC()
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		return normal(r.Elem().Interface())
	case reflect.Map, reflect.Slice:
		if r.Len() == 0 {
			return "empty"
		}
	}
	return v
}

func TestTimesOutsideOfTheRangeAreClamped(t *testing.T) {
	for sent, want := range map[schemas.Micros]schemas.Micros{
		schemas.MicrosOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)):    minTime,
		schemas.MicrosOf(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)): maxTime,
		0: 0,
		schemas.MicrosOf(time.Date(2024, 1, 1, 0, 0, 0, 1000, time.UTC)): schemas.MicrosOf(time.Date(2024, 1, 1, 0, 0, 0, 1000, time.UTC)),
	} {
		columns := NewColumns(schemas.KindDuplicate)
		m := &schemas.Duplicate{Envelope: schemas.Envelope{EventTime: sent}}
		columns.Append(&schemas.Meta{}, m)
		b := newBlock(t, schemas.KindDuplicate)
		if err := errors.Join(columns.Flush(b), b.Send()); err != nil {
			t.Fatal(err)
		}
		i := slices.Index(b.native.ColumnsNames(), "event_time")
		if got := b.native.Columns[i].Row(0, false).(time.Time); !got.Equal(want.Time()) {
			t.Errorf("%s is stored as %s, want %s", sent, got.UTC(), want)
		}
	}
}

func TestStatements(t *testing.T) {
	if CreateTable("millrace", schemas.KindText) != "" || NewColumns(schemas.KindText) != nil || NewColumns("nothing") != nil {
		t.Error("a kind that is not stored has a table")
	}
	for _, k := range schemas.StoredKinds() {
		create := CreateTable("a`b", k)
		if !strings.HasPrefix(create, fmt.Sprintf("CREATE TABLE IF NOT EXISTS `a\\`b`.`%s`\n(\n    `tenant` LowCardinality(String) COMMENT 'Whose data", k)) {
			t.Errorf("%s begins otherwise: %.200s", k, create)
		}
		if got, want := len(AddColumns("millrace", k)), len(InsertTypes(k)); got != want {
			t.Errorf("%s: %d columns to add, %d to insert", k, got, want)
		}
		for _, c := range InsertTypes(k) {
			if !strings.Contains(create, "    `"+c.Name+"` "+c.Type) || !strings.Contains(Insert("millrace", k), "`"+c.Name+"`") {
				t.Errorf("%s: the column %s is missing", k, c.Name)
			}
		}
		_, key, _ := strings.Cut(create, "ORDER BY")
		if !strings.Contains(key, "(tenant, ") || !strings.HasSuffix(key, ", _origin_topic_id, _origin_partition, _origin_offset, _origin_index, _step)") {
			t.Errorf("%s: the sort key is %s", k, key)
		}
	}
}

func BenchmarkColumns(b *testing.B) {
	const rows = 1000
	m := &schemas.Inference{
		Envelope:     schemas.Envelope{Tenant: "acme", EventID: "2f9qXb3s8v0Yx1kJm5Lw7TzRc4d", EventTime: 1_720_000_000_000_000, Source: "support", ContentHash: strings.Repeat("0f", 32), RulesVersion: "1"},
		RequestModel: "spam", ModelVersion: "v3", Role: "champion", Prediction: "mail", Confidence: .97,
		InputMessages: strings.Repeat("word ", 200), TextID: "2f9qXb3s8v0Yx1kJm5Lw7TzRc4d", Attributes: map[string]string{"folder": "inbox"},
	}
	meta := schemas.Meta{Topic: "interactions", Step: "clean", OriginTopicID: strings.Repeat("ab", 16)}
	columns := NewColumns(schemas.KindInference)
	b.ReportAllocs()
	for range b.N {
		columns.Reset()
		for i := range rows {
			meta.Offset = int64(i)
			columns.Append(&meta, m)
		}
		to := newBlock(b, schemas.KindInference)
		if err := errors.Join(columns.Flush(to), to.Send()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
