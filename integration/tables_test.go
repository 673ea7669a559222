//go:build integration

package integration

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/bus"
	embeddedch "github.com/millrace-io/millrace/internal/embedded/clickhouse"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// TestMain lets the tests' binary be the child that the embedded engine runs in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == embeddedch.ChildCommand {
		os.Exit(embeddedch.RunChild(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// engine starts a ClickHouse with Millrace's tables, for tests of what goes into them.
func engine(t *testing.T) (driver.Conn, *embeddedch.Server) {
	t.Helper()
	s, err := embeddedch.Start(t.Context(), embeddedch.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Library: library(t), Password: "tables", MaxMemory: 2 << 30}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	conn := dial(t, s.DSN("default"))
	migrated(t, conn, "millrace")
	return conn, s
}

func dial(t *testing.T, dsn string) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func migrated(t *testing.T, conn driver.Conn, database string) {
	t.Helper()
	if err := clickhouse.Migrate(t.Context(), conn, database); err != nil {
		t.Fatal(err)
	}
}

// number asks for one; no query of it reads with FINAL unless it says so.
func number(t *testing.T, conn driver.Conn, query string) int {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(ch.Context(t.Context(), ch.WithSettings(ch.Settings{"final": 0})), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return int(n)
}

func execute(t *testing.T, conn driver.Conn, statement string) {
	t.Helper()
	if err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// origin is the topic whose records the tests' rows were made of.
var origin = bus.TopicID{7}

// record is the one at an offset of clean.text. Two of three are texts, and they arrive in
// several months, so that a batch goes to several partitions of a table.
func record(partition int32, offset int64) bus.Record {
	env := schemas.Envelope{Tenant: fmt.Sprint("tenant-", offset%3), EventID: fmt.Sprintf("%d-%d", partition, offset),
		ArrivedAt: schemas.MicrosOf(time.Date(2026, time.Month(1+offset/97%5), 1+int(offset%28), 1, 2, 3, 456, time.UTC))}
	var m schemas.Message = &schemas.CleanText{Envelope: env, Text: strings.Repeat("words ", int(offset%40)), Attributes: map[string]string{"n": fmt.Sprint(offset)}}
	if offset%3 == 2 {
		m = &schemas.Rejected{Envelope: env, Rule: "too_short"}
	}
	return bus.Record{Partition: bus.Partition{Topic: bus.CleanText, TopicID: bus.TopicID{9}, Partition: partition}, Offset: offset,
		Kind: m.Kind(), Value: m.MarshalAppend(nil), Origin: bus.Origin{Step: "clean", TopicID: origin, Partition: partition, Offset: 2 * offset}}
}

// insertTexts inserts the texts among the offsets [from, to) of partition 0 as one batch.
func insertTexts(t *testing.T, into clickhouse.Inserter, from, to int64) (rows int) {
	t.Helper()
	var batch []*bus.Record
	for o := from; o < to; o++ {
		if r := record(0, o); r.Kind == schemas.KindCleanText {
			batch = append(batch, &r)
		}
	}
	if err := into.Insert(t.Context(), schemas.KindCleanText, batch); err != nil {
		t.Fatal(err)
	}
	return len(batch)
}

// TestLateInserts stores rows again: at once, in other batches, and after what was there
// had merged, as a writer does whose answer was lost or that was thought dead.
func TestLateInserts(t *testing.T) {
	t.Parallel()
	conn, _ := engine(t)
	into := clickhouse.NewInserter(conn, "millrace")
	const count, final = "SELECT count() FROM millrace.clean_text", "SELECT count() FROM millrace.clean_text FINAL"
	const optimize = "OPTIMIZE TABLE millrace.clean_text FINAL"
	want := insertTexts(t, into, 0, 600)
	check := func(when string, stored int) {
		t.Helper()
		if n, f := number(t, conn, count), number(t, conn, final); n < stored || f != want {
			t.Errorf("%s: %d rows are stored, %d with FINAL; want %d or more, and %d", when, n, f, stored, want)
		}
	}
	check("at first", want)
	execute(t, conn, "SYSTEM STOP MERGES millrace.clean_text") // so that doubled rows can be seen
	insertTexts(t, into, 0, 600)
	check("the same batch again", 2*want)
	for _, b := range [][2]int64{{0, 7}, {5, 300}, {299, 600}, {0, 600}} {
		insertTexts(t, into, b[0], b[1])
	}
	check("in other batches", 3*want)
	execute(t, conn, "SYSTEM START MERGES millrace.clean_text")
	execute(t, conn, optimize)
	if n := number(t, conn, count); n != want {
		t.Errorf("once merged, %d rows are stored, want %d", n, want)
	}
	insertTexts(t, into, 100, 500) // late: what it doubles has merged
	check("late", want)
	execute(t, conn, optimize)
	if n := number(t, conn, count); n != want {
		t.Errorf("late, once merged, %d rows are stored, want %d", n, want)
	}
	if n := number(t, conn, "SELECT count(DISTINCT event_id) FROM millrace.clean_text"); n != want {
		t.Errorf("they are of %d events, want %d", n, want)
	}
}

// TestTablesExpire removes old rows: those of the partition, of both kinds, below the
// offset, doubled ones too, and no others.
func TestTablesExpire(t *testing.T) {
	t.Parallel()
	conn, _ := engine(t)
	into := clickhouse.NewInserter(conn, "millrace")
	const rows, below = 400, 250
	for partition := range int32(2) {
		for range 2 {
			byKind := map[schemas.Kind][]*bus.Record{}
			for o := range int64(rows) {
				r := record(partition, o)
				byKind[r.Kind] = append(byKind[r.Kind], &r)
			}
			for kind, batch := range byKind {
				if err := into.Insert(t.Context(), kind, batch); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	topic := bus.Topic{TopicSpec: bus.TopicSpec{Name: bus.CleanText}, ID: bus.TopicID{9}}
	expire := func(origins ...bus.TopicID) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := clickhouse.Expire(ctx, conn, "millrace", topic, 0, below, origins); err != nil {
			t.Fatal(err)
		}
	}
	mutations := func() int { return number(t, conn, "SELECT count() FROM system.mutations WHERE database = 'millrace'") }
	ours := topic.ID
	topic.ID = bus.TopicID{7} // another topic of the name, and rows of no topic that is known
	expire(bus.TopicID{8})
	topic.ID = ours
	if n := mutations(); n != 0 {
		t.Errorf("where nothing is to be removed %d mutations were begun", n)
	}
	for range 2 {
		expire(origin, bus.TopicID{8})
		if n := mutations(); n != 2 {
			t.Errorf("%d mutations were begun, want one for each of two tables", n)
		}
		left := 0
		for _, table := range []string{"clean_text", "rejected"} {
			if n := number(t, conn, fmt.Sprintf("SELECT count() FROM millrace.%s WHERE _partition = 0 AND _offset < %d", table, below)); n != 0 {
				t.Errorf("%d rows of %s are there that had to go", n, table)
			}
			left += number(t, conn, "SELECT count() FROM millrace."+table+" FINAL")
		}
		if left != 2*rows-below {
			t.Errorf("%d rows are left, want %d", left, 2*rows-below)
		}
	}
}
