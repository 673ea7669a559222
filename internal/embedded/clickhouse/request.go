package clickhouse

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// engineVersion is that of the library that packages.txt pins.
const engineVersion = "26.7.2.1"

// helloQuery is clickhouse-go's first.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// request is one statement with what goes with it.
type request struct {
	params   url.Values
	header   http.Header
	query    string
	database string
	insert   *insertRequest
	inside   bool
}

// insertRequest is an insert whose data comes in the body.
type insertRequest struct {
	text   string // without FORMAT
	format string
	data   io.Reader
}

// reserved are parameters that are no settings.
var reserved = []string{
	"query", "database", "default_format", "user", "password", "query_id", "session_id", "session_timeout",
	"session_check", "compress", "decompress", "client_protocol_version", "enable_http_compression", "quota_key",
	"role", "wait_end_of_query", "buffer_size", "stacktrace", "send_progress_in_http_headers",
	"http_zlib_compression_level", "network_compression_method", "network_zstd_compression_level",
	"http_native_compression_disable_checksumming_on_decompress", "cancel_http_readonly_queries_on_client_close",
	"hostname", "hostname_format", "log_comment",
}

// outsideSettings are those that a stranger may set.
var outsideSettings = []string{
	"max_result_rows", "max_block_size", "session_timezone", "date_time_output_format", "result_overflow_mode",
	"output_format_json_quote_64bit_integers", "output_format_json_named_tuples_as_objects", "output_format_native_encode_types_in_binary_format",
	"output_format_binary_write_json_as_string", "final",
}

// read takes the statement from r, and where it is an insert, what goes with it.
func (req *request) read(r *http.Request) error {
	req.database = req.params.Get("database")
	if req.database == "" {
		req.database = r.Header.Get("X-ClickHouse-Database")
	}
	if p := strings.Trim(r.URL.Path, "/"); req.database == "" && p != "" && !strings.Contains(p, "/") {
		req.database = p
	}
	body, err := bodyReader(r)
	if err != nil {
		return newError(354, "the body cannot be decompressed: %s", err)
	}
	text := req.params.Get("query")
	if text != "" && isInsert(text) {
		if m := insertFormat.FindStringSubmatchIndex(text); m != nil {
			req.insert = &insertRequest{text: text[:m[0]], format: text[m[2]:m[3]], data: body}
			return nil
		}
		if !insertSelf.MatchString(text) { // the data's format is named elsewhere
			format := req.params.Get("default_format")
			if format == "" {
				format = r.Header.Get("X-ClickHouse-Format")
			}
			if format != "" {
				req.insert = &insertRequest{text: text, format: format, data: body}
				return nil
			}
		}
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxStatement+1))
	if err != nil {
		return newError(354, "the body cannot be read: %s", err)
	}
	if len(rest) > maxStatement {
		return newError(62, "Syntax error: the statement has more than %d bytes; give an insert's statement as the parameter query and its data as the body. (SYNTAX_ERROR)", maxStatement)
	}
	if text != "" && len(rest) > 0 {
		text += "\n"
	}
	text += string(rest)
	if isInsert(text) && !insertSelf.MatchString(head(text)) {
		if m := insertInline.FindStringSubmatchIndex(text); m != nil {
			req.insert = &insertRequest{text: text[:m[3]], format: text[m[4]:m[5]], data: strings.NewReader(text[m[1]:])}
			return nil
		}
	}
	req.query = strings.TrimRight(strings.TrimSpace(text), "; \n\t")
	if req.query == "" {
		return newError(62, "Syntax error: Empty query. (SYNTAX_ERROR)")
	}
	return nil
}

var (
	insertFormat = regexp.MustCompile(`(?is)\s+FORMAT\s+(\w+)\s*;?\s*$`)
	insertInline = regexp.MustCompile(`(?is)^(\s*INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)[ \t]*\r?\n?`)
	insertSelf   = regexp.MustCompile(`(?is)\b(VALUES|SELECT)\b`)
	insertStart  = regexp.MustCompile(`(?is)^(\s|--[^\n]*\n|/\*.*?\*/)*INSERT\s+INTO\s`)
	selects      = regexp.MustCompile(`(?is)^(\s|\(|--[^\n]*\n|/\*.*?\*/)*(SELECT|WITH)\s`)
	queryFormat  = regexp.MustCompile(`(?is)\s+FORMAT\s+(\w+)\s*(SETTINGS\s[^;]*?)?(\s|;|--[^\n]*|/\*.*?\*/)*$`)
)

func isInsert(text string) bool { return insertStart.MatchString(text) }

// head is the part of a statement in which its keywords stand.
func head(text string) string { return text[:min(len(text), 4096)] }

// bodyReader undoes the body's compression: HTTP's, or ClickHouse's own blocks.
func bodyReader(r *http.Request) (io.Reader, error) {
	var body io.Reader = r.Body
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		return gzip.NewReader(body)
	case "deflate":
		return zlib.NewReader(body)
	case "lz4":
		return lz4.NewReader(body), nil
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	default:
		return nil, fmt.Errorf("content encoding %q is not known: gzip, deflate, lz4 and zstd are", enc)
	}
	if r.URL.Query().Get("decompress") == "1" {
		return &blockReader{compress.NewReader(body)}, nil
	}
	return body, nil
}

// blockReader ends where the blocks end.
type blockReader struct{ r *compress.Reader }

func (b *blockReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

type setting struct{ name, value string }

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// settings are the parameters that are settings or query parameters, in order.
func (req *request) settings() []setting {
	var out []setting
	for name, values := range req.params {
		if slices.Contains(reserved, name) || !settingName.MatchString(name) || len(values) == 0 {
			continue
		}
		if req.inside || strings.HasPrefix(name, "param_") || slices.Contains(outsideSettings, name) {
			out = append(out, setting{name, values[0]})
		}
	}
	slices.SortFunc(out, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	return out
}

// format is the one that the statement names, else the request's, else TabSeparated.
func (req *request) format() string {
	if m := queryFormat.FindStringSubmatch(req.query); m != nil {
		return m[1]
	}
	for _, f := range []string{req.header.Get("X-ClickHouse-Format"), req.params.Get("default_format")} {
		if f != "" && settingName.MatchString(f) {
			return f
		}
	}
	return "TabSeparated"
}

func (req *request) queryID(fallback string) string {
	if id := req.params.Get("query_id"); id != "" {
		return id
	}
	return fallback
}

func (req *request) protocolVersion() uint64 {
	n, err := strconv.ParseUint(req.params.Get("client_protocol_version"), 10, 32)
	if err != nil {
		return 0
	}
	return n
}

func (req *request) isHello() bool {
	return req.query == helloQuery && req.format() == "Native" && req.protocolVersion() > 0
}

// streams says whether the answer goes out as it comes.
func (req *request) streams() bool {
	return streams(req.format()) && selects.MatchString(req.query)
}

// streams says whether the pieces of a result in format, each a document, are one
// document when they are put together.
func streams(format string) bool {
	switch format {
	case "Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONLines", "NDJSON", "RowBinary", "LineAsString":
		return true
	}
	return false
}

func contentType(format string) string {
	switch {
	case strings.HasPrefix(format, "JSON") && !strings.Contains(format, "EachRow"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"), format == "NDJSON":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "Tab"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	}
	return "application/octet-stream"
}

// responseWriter compresses the answer as the request asks.
func (req *request) responseWriter(w http.ResponseWriter) (io.WriteCloser, error) {
	if req.params.Get("compress") == "1" {
		return &blockCompressor{w: w, c: compress.NewWriter(compress.LevelZero, compress.LZ4)}, nil
	}
	if req.params.Get("enable_http_compression") != "1" {
		return nopCloser{w}, nil
	}
	accept := req.header.Get("Accept-Encoding")
	switch {
	case strings.Contains(accept, "zstd"):
		w.Header().Set("Content-Encoding", "zstd")
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	case strings.Contains(accept, "lz4"):
		w.Header().Set("Content-Encoding", "lz4")
		return lz4.NewWriter(w), nil
	case strings.Contains(accept, "gzip"):
		w.Header().Set("Content-Encoding", "gzip")
		return gzip.NewWriter(w), nil
	}
	return nopCloser{w}, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// blockCompressor writes ClickHouse's own compressed blocks.
type blockCompressor struct {
	w io.Writer
	c *compress.Writer
}

func (b *blockCompressor) Write(p []byte) (int, error) {
	for from := 0; from < len(p); from += insertChunk {
		if err := b.c.Compress(p[from:min(len(p), from+insertChunk)]); err != nil {
			return from, err
		}
		if _, err := b.w.Write(b.c.Data); err != nil {
			return from, err
		}
	}
	return len(p), nil
}

func (b *blockCompressor) Close() error { return nil }

func typeOf(name string) column.Type { return column.Type(name) }

func encodeBlock(block *proto.Block, revision uint64) ([]byte, error) {
	var b chproto.Buffer
	if err := block.Encode(&b, revision); err != nil {
		return nil, fmt.Errorf("clickhouse: encode hello: %w", err)
	}
	return b.Buf, nil
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
