// Package schemaclickhouse knows the ClickHouse tables of the stored kinds: their DDL,
// and buffers that insert events by column.
package schemaclickhouse

import (
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/millrace-io/millrace/schemas"
)

// tableColumn is one column of a table; comment is what DESCRIBE shows.
type tableColumn struct {
	name, kind, comment string
}

// metaColumns follow the event's own, in the order of schemas.Meta.
func metaColumns() []tableColumn {
	return []tableColumn{
		{"_topic", "LowCardinality(String)", "The topic of the record."},
		{"_partition", "Int32", "The partition of the record."},
		{"_offset", "Int64", "The offset of the record."},
		{"_step", "LowCardinality(String)", "The stage that wrote the record."},
		{"_origin_topic_id", "LowCardinality(String)", "The topic id, in hex, of the record that this one was made of."},
		{"_origin_partition", "Int32", "The partition of the record that this one was made of."},
		{"_origin_offset", "Int64", "The offset of the record that this one was made of."},
		{"_origin_index", "Int32", "Counts what the step made of that record, from 0."},
		{"_topic_id", "LowCardinality(String)", "The topic id, in hex, of the record's own topic; empty in rows that an older version stored."},
	}
}

// storedAt is filled by the server.
const storedAt = "`_stored_at` DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was stored.'"

// insertColumns are the columns that an insert gives, in the table's order.
func insertColumns(k schemas.Kind) []tableColumn {
	own, _ := table(k)
	if own == nil {
		return nil
	}
	return append(own, metaColumns()...)
}

// CreateTable is the statement that makes the kind's table where there is none; "" for
// a kind that is not stored.
//
// The sort key ends in the record's identity, so that a row which was inserted twice
// merges into one.
func CreateTable(database string, k schemas.Kind) string {
	columns := insertColumns(k)
	if columns == nil {
		return ""
	}
	_, orderBy := table(k)
	lines := make([]string, 0, len(columns)+1)
	for _, c := range columns {
		lines = append(lines, "    "+c.definition())
	}
	lines = append(lines, "    "+storedAt)
	key := append([]string{"tenant"}, orderBy...)
	key = append(key, "_origin_topic_id", "_origin_partition", "_origin_offset", "_origin_index", "_step")
	return "CREATE TABLE IF NOT EXISTS " + tableName(database, k) + "\n(\n" + strings.Join(lines, ",\n") +
		"\n)\nENGINE = ReplacingMergeTree\nPARTITION BY toYYYYMM(arrived_at)\nORDER BY (" + strings.Join(key, ", ") + ")"
}

// AddColumns are the statements that bring a table of an older schema up to date.
func AddColumns(database string, k schemas.Kind) []string {
	var statements []string
	before := ""
	for _, c := range insertColumns(k) {
		place := " FIRST"
		if before != "" {
			place = " AFTER " + identifier(before)
		}
		statements = append(statements, "ALTER TABLE "+tableName(database, k)+" ADD COLUMN IF NOT EXISTS "+c.definition()+place)
		before = c.name
	}
	return statements
}

// Insert is the statement that NewColumns' buffers are sent with; "" for a kind that is
// not stored.
func Insert(database string, k schemas.Kind) string {
	columns := insertColumns(k)
	if columns == nil {
		return ""
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = identifier(c.name)
	}
	return "INSERT INTO " + tableName(database, k) + " (" + strings.Join(names, ", ") + ")"
}

// InsertTypes are the names and types of the columns of Insert. Given to the driver by
// clickhouse.WithColumnNamesAndTypes, they save it a DESCRIBE before every batch over
// HTTP.
func InsertTypes(k schemas.Kind) []clickhouse.ColumnNameAndType {
	columns := insertColumns(k)
	all := make([]clickhouse.ColumnNameAndType, len(columns))
	for i, c := range columns {
		all[i] = clickhouse.ColumnNameAndType{Name: c.name, Type: c.kind}
	}
	return all
}

func (c tableColumn) definition() string {
	s := identifier(c.name) + " " + c.kind
	if c.comment != "" {
		s += " COMMENT " + text(c.comment)
	}
	return s
}

func tableName(database string, k schemas.Kind) string {
	return identifier(database) + "." + identifier(string(k))
}

func identifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

func text(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}
