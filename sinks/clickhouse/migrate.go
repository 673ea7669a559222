package clickhouse

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/schemas"
	schemaclickhouse "github.com/millrace-io/millrace/schemas/clickhouse"
)

//go:embed views/*.sql
var views embed.FS

// Migrate makes the database, its tables and its views, and adds to tables of an older
// version the columns that they lack. It may run any number of times.
func Migrate(ctx context.Context, conn driver.Conn, database string) error {
	statements := []string{"CREATE DATABASE IF NOT EXISTS " + database}
	for _, k := range schemas.StoredKinds() {
		statements = append(statements, schemaclickhouse.CreateTable(database, k))
		statements = append(statements, schemaclickhouse.AddColumns(database, k)...)
	}
	for _, s := range statements {
		if err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("clickhouse: migrate: %w", err)
		}
	}
	return createViews(ctx, conn, database)
}

// Drop removes the database with all that is in it.
func Drop(ctx context.Context, conn driver.Conn, database string) error {
	if err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
		return fmt.Errorf("clickhouse: drop %s: %w", database, err)
	}
	return nil
}

// StoreID names what the database holds: made where there is none, and gone with the
// rows when the database goes. Two processes that make one at once agree on the first.
func StoreID(ctx context.Context, conn driver.Conn, database string) (string, error) {
	table := database + ".store_id"
	made := "CREATE TABLE IF NOT EXISTS " + table + " (id String, made_at DateTime64(6, 'UTC')) ENGINE = MergeTree ORDER BY (made_at, id)"
	if err := conn.Exec(ctx, made); err != nil {
		return "", fmt.Errorf("clickhouse: make %s: %w", table, err)
	}
	for range 2 {
		var id string
		err := conn.QueryRow(ctx, "SELECT id FROM "+table+" ORDER BY made_at, id LIMIT 1").Scan(&id)
		if err == nil {
			return id, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return "", fmt.Errorf("clickhouse: read %s: %w", table, err)
		}
		if err := conn.Exec(ctx, "INSERT INTO "+table+" SELECT toString(generateUUIDv4()), now64(6)"); err != nil {
			return "", fmt.Errorf("clickhouse: name the store: %w", err)
		}
	}
	return "", fmt.Errorf("clickhouse: %s is empty although its id was inserted", table)
}

// createViews makes the views in the order of their files' names; a file holds the
// SELECT, which names tables without the database.
func createViews(ctx context.Context, conn driver.Conn, database string) error {
	names, err := fs.Glob(views, "views/*.sql")
	if err != nil {
		return fmt.Errorf("clickhouse: list views: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := views.ReadFile(name)
		if err != nil {
			return fmt.Errorf("clickhouse: read view %s: %w", name, err)
		}
		view := strings.TrimSuffix(path.Base(name), ".sql")
		q := fmt.Sprintf("CREATE OR REPLACE VIEW %s.%s AS %s", database, view, strings.ReplaceAll(string(text), "{db}", database))
		if err := conn.Exec(ctx, q); err != nil {
			return fmt.Errorf("clickhouse: create view %s: %w", view, err)
		}
	}
	return nil
}
