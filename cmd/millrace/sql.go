package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/sinks/clickhouse"
)

// maxShown bounds the rows of a table, which is held until its widths are known.
const maxShown = 10_000

// hasFormat finds a query that says in which form it wants its answer.
var hasFormat = regexp.MustCompile(`(?i)\sformat\s+[a-z]+$`)

func sqlCommand() *command {
	return &command{name: "sql", args: "[QUERY] [FLAGS]", summary: "Ask ClickHouse.",
		help: `Without a query it reads one from standard input. Tables and views lie in the
database millrace: millrace sql "SHOW TABLES". It reads only.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			format := fs.String("format", "table", "`FORMAT` of the answer: table, tsv, jsonl")
			return func(ctx context.Context, env *environment, args []string) error {
				query := strings.Join(args, " ")
				if query == "" {
					text, err := io.ReadAll(os.Stdin)
					if err != nil {
						return fmt.Errorf("read the query: %w", err)
					}
					query = string(text)
				}
				query = strings.TrimRight(strings.TrimSpace(query), ";")
				if query == "" {
					fmt.Fprintln(env.stderr, "millrace sql: give a query, as an argument or on standard input")
					return errUsage
				}
				if hasFormat.MatchString(query) {
					fmt.Fprintln(env.stderr, "millrace sql: leave FORMAT out of the query; --format is table, tsv or jsonl. The HTTP interface of ClickHouse takes the others")
					return errUsage
				}
				print := map[string]func(io.Writer, driver.Rows) error{"table": printTable, "tsv": printTSV, "jsonl": printJSONL}[*format]
				if print == nil {
					return fmt.Errorf("--format is table, tsv or jsonl, not %q", *format)
				}
				return attached(ctx, &flags, env, func(a *app) error { return a.ask(ctx, env.stdout, query, print) })
			}
		}}
}

// reader connects as one who reads: to the embedded engine as everybody does.
func (a *app) reader() (driver.Conn, error) {
	dsn := string(a.cfg.ClickHouse.DSN)
	if dsn == "" {
		u := url.URL{Scheme: "http", Host: a.address.ClickHouse, Path: "/" + a.cfg.ClickHouse.Database}
		return clickhouse.OpenReader(u.String())
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("clickhouse.dsn is no URL")
	}
	u.Path = "/" + a.cfg.ClickHouse.Database
	return clickhouse.OpenReading(u.String())
}

func (a *app) ask(ctx context.Context, w io.Writer, query string, print func(io.Writer, driver.Rows) error) error {
	conn, err := a.reader()
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := print(w, rows); err != nil {
		return err
	}
	return rows.Err()
}

// scanner reads rows of any types.
type scanner struct {
	names  []string
	values []any // pointers
}

func newScanner(rows driver.Rows) *scanner {
	s := &scanner{}
	for _, c := range rows.ColumnTypes() {
		s.names = append(s.names, c.Name())
		s.values = append(s.values, reflect.New(c.ScanType()).Interface())
	}
	return s
}

// value is that of a column, a nil pointer as nil.
func (s *scanner) value(i int) any {
	v := reflect.ValueOf(s.values[i]).Elem()
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	return v.Interface()
}

func (s *scanner) text(i int) string {
	switch v := s.value(i).(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999")
	case fmt.Stringer:
		return v.String()
	default:
		if k := reflect.ValueOf(v).Kind(); k == reflect.Map || k == reflect.Slice {
			if data, err := json.Marshal(v); err == nil {
				return string(data)
			}
		}
		return fmt.Sprint(v)
	}
}

func printTable(w io.Writer, rows driver.Rows) error {
	s := newScanner(rows)
	columns := make([]console.Column, len(s.names))
	for i, name := range s.names {
		columns[i].Title = name
		switch reflect.TypeOf(s.values[i]).Elem().Kind() {
		case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
			columns[i].Right = true
		default:
		}
	}
	var table [][]string
	more := false
	for rows.Next() {
		if more = len(table) == maxShown; more {
			break
		}
		if err := rows.Scan(s.values...); err != nil {
			return err
		}
		row := make([]string, len(columns))
		for i := range row {
			row[i] = s.text(i)
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil && !more {
		return err
	}
	if err := console.Table(w, columns, table); err != nil {
		return err
	}
	if more {
		_, err := fmt.Fprintf(w, "the first %d rows; --format tsv or jsonl shows all\n", maxShown)
		return err
	}
	return nil
}

var tsvEscapes = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")

func printTSV(w io.Writer, rows driver.Rows) error {
	s := newScanner(rows)
	fmt.Fprintln(w, strings.Join(s.names, "\t"))
	for rows.Next() {
		if err := rows.Scan(s.values...); err != nil {
			return err
		}
		row := make([]string, len(s.names))
		for i := range row {
			row[i] = tsvEscapes.Replace(s.text(i))
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return nil
}

func printJSONL(w io.Writer, rows driver.Rows) error {
	s := newScanner(rows)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for rows.Next() {
		if err := rows.Scan(s.values...); err != nil {
			return err
		}
		row := make(map[string]any, len(s.names))
		for i, name := range s.names {
			row[name] = s.value(i)
		}
		if err := e.Encode(row); err != nil {
			return fmt.Errorf("print a row: %w", err)
		}
	}
	return nil
}
