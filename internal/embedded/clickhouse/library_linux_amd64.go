package clickhouse

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the engine, loaded from its shared object. Its calls may be made from any
// goroutine: a connection serialises its statements, separate ones run side by side.
type library struct {
	setSignalHandlers func(int32)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(unsafe.Pointer)
	query             func(conn unsafe.Pointer, q *byte, qn uintptr, format *byte, fn uintptr) unsafe.Pointer
	streamQuery       func(conn unsafe.Pointer, q *byte, qn uintptr, format *byte, fn uintptr) unsafe.Pointer
	streamFetch       func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamCancel      func(conn, stream unsafe.Pointer)
	destroyResult     func(unsafe.Pointer)
	resultBuffer      func(unsafe.Pointer) unsafe.Pointer
	resultLength      func(unsafe.Pointer) uintptr
	resultError       func(unsafe.Pointer) string
	rowsRead          func(unsafe.Pointer) uint64
	bytesRead         func(unsafe.Pointer) uint64
	rowsWritten       func(unsafe.Pointer) uint64
	streamInsert      func(conn unsafe.Pointer, q *byte, qn uintptr, format *byte, fn uintptr) unsafe.Pointer
	streamAppend      func(stream unsafe.Pointer, data *byte, n uintptr) int32
	streamDone        func(stream unsafe.Pointer) unsafe.Pointer
	cancelInsert      func(stream unsafe.Pointer)
	insertError       func(stream unsafe.Pointer) string
	destroyInsert     func(stream unsafe.Pointer)
	classify          func(conn unsafe.Pointer, q *byte, qn uintptr, db *byte, dn uintptr, out *analysis) int32
}

// analysis is the engine's report on a statement (chdb_query_analysis_v1).
type analysis struct {
	structSize uint32
	statements uint32
	_          uint32 // flags
	class      uint32
}

// classReadOnly is the class of a statement that changes nothing.
const classReadOnly = 0

// load opens the shared object. It needs glibc.
func load(path string) (*library, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("clickhouse: the engine's library is not at %s: run make deps, or set clickhouse.dsn to a server of yours", path)
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: load %s: %w (the engine needs Linux on x86-64 with glibc; elsewhere set clickhouse.dsn)", path, err)
	}
	l := &library{}
	for name, fn := range map[string]any{
		"chdb_set_signal_handlers_enabled": &l.setSignalHandlers,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_query_n":                     &l.query,
		"chdb_stream_query_n":              &l.streamQuery,
		"chdb_stream_fetch_result":         &l.streamFetch,
		"chdb_stream_cancel_query":         &l.streamCancel,
		"chdb_destroy_query_result":        &l.destroyResult,
		"chdb_result_buffer":               &l.resultBuffer,
		"chdb_result_length":               &l.resultLength,
		"chdb_result_error":                &l.resultError,
		"chdb_result_rows_read":            &l.rowsRead,
		"chdb_result_bytes_read":           &l.bytesRead,
		"chdb_result_rows_written":         &l.rowsWritten,
		"chdb_stream_insert_n":             &l.streamInsert,
		"chdb_stream_append":               &l.streamAppend,
		"chdb_stream_done":                 &l.streamDone,
		"chdb_stream_cancel_insert":        &l.cancelInsert,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.destroyInsert,
		"chdb_classify_query_n":            &l.classify,
	} {
		if _, err := purego.Dlsym(handle, name); err != nil {
			return nil, fmt.Errorf("clickhouse: %s is not the engine that Millrace is made for: %w (run make deps)", path, err)
		}
		purego.RegisterLibFunc(fn, handle, name)
	}
	l.setSignalHandlers(0) // Go keeps its own
	return l, nil
}

// conn is one connection, with its own settings, role and current database.
type conn struct {
	lib    *library
	holder unsafe.Pointer // chdb_connection*
	handle unsafe.Pointer // chdb_connection
}

// open connects with the engine's arguments; the first connection starts the engine.
func (l *library) open(args []string) (*conn, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]*byte, len(args))
	for i, a := range args {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv[i] = &b[0]
	}
	pin.Pin(&argv[0])
	holder := l.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	if holder == nil {
		return nil, errConnect
	}
	return &conn{lib: l, holder: holder, handle: *(*unsafe.Pointer)(holder)}, nil
}

func (c *conn) close() { c.lib.closeConn(c.holder) }

func pointer(s string) (*byte, uintptr) {
	return unsafe.StringData(s), uintptr(len(s))
}

// outcome is a whole result, copied out of the engine.
type outcome struct {
	data                             []byte
	rowsRead, bytesRead, rowsWritten uint64
}

// exec runs statements and returns the whole result in format.
func (c *conn) exec(query, format string) (outcome, error) {
	q, qn := pointer(query)
	f, fn := pointer(format)
	r := c.lib.query(c.handle, q, qn, f, fn)
	runtime.KeepAlive(query)
	if r == nil {
		return outcome{}, parseError("the engine returned nothing")
	}
	defer c.lib.destroyResult(r)
	return c.lib.outcome(r)
}

func (l *library) outcome(r unsafe.Pointer) (outcome, error) {
	if msg := l.resultError(r); msg != "" {
		return outcome{}, parseError(msg)
	}
	o := outcome{rowsRead: l.rowsRead(r), bytesRead: l.bytesRead(r), rowsWritten: l.rowsWritten(r)}
	if n := l.resultLength(r); n > 0 {
		o.data = append(o.data, unsafe.Slice((*byte)(l.resultBuffer(r)), n)...)
	}
	return o, nil
}

// stream runs a query and gives its result in pieces, each a complete document of
// format. An error of each ends the query.
func (c *conn) stream(query, format string, each func([]byte) error) (outcome, error) {
	q, qn := pointer(query)
	f, fn := pointer(format)
	s := c.lib.streamQuery(c.handle, q, qn, f, fn)
	runtime.KeepAlive(query)
	if s == nil {
		return outcome{}, parseError("the engine returned nothing")
	}
	defer c.lib.destroyResult(s)
	if msg := c.lib.resultError(s); msg != "" {
		return outcome{}, parseError(msg)
	}
	var total outcome
	for {
		r := c.lib.streamFetch(c.handle, s)
		if r == nil {
			return total, nil
		}
		o, err := c.lib.outcome(r)
		c.lib.destroyResult(r)
		if err != nil {
			return total, err
		}
		total.rowsRead += o.rowsRead
		total.bytesRead += o.bytesRead
		if len(o.data) == 0 {
			return total, nil
		}
		if err := each(o.data); err != nil {
			c.lib.streamCancel(c.handle, s)
			return total, err
		}
	}
}

// insert begins an insert of data in format. The connection takes nothing else until it
// is done or cancelled.
func (c *conn) insert(query, format string) (*insertion, error) {
	q, qn := pointer(query)
	f, fn := pointer(format)
	s := c.lib.streamInsert(c.handle, q, qn, f, fn)
	runtime.KeepAlive(query)
	if msg := c.lib.insertError(s); msg != "" {
		c.lib.destroyInsert(s)
		return nil, parseError(msg)
	}
	return &insertion{lib: c.lib, stream: s}, nil
}

type insertion struct {
	lib    *library
	stream unsafe.Pointer
}

func (i *insertion) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if i.lib.streamAppend(i.stream, &b[0], uintptr(len(b))) != 0 {
		return 0, parseError(i.lib.insertError(i.stream))
	}
	return len(b), nil
}

// done ends the insert; its rows are stored when it returns nil.
func (i *insertion) done() (outcome, error) {
	r := i.lib.streamDone(i.stream)
	defer i.lib.destroyInsert(i.stream)
	if r == nil {
		return outcome{}, parseError(i.lib.insertError(i.stream))
	}
	defer i.lib.destroyResult(r)
	return i.lib.outcome(r)
}

func (i *insertion) cancel() {
	i.lib.cancelInsert(i.stream)
	i.lib.destroyInsert(i.stream)
}

// classify says how many statements a text holds and whether they only read.
func (c *conn) classify(query string) (statements int, readOnly bool) {
	a := analysis{structSize: uint32(unsafe.Sizeof(analysis{}))}
	q, qn := pointer(query)
	if c.lib.classify(c.handle, q, qn, nil, 0, &a) != 0 {
		return 0, false
	}
	runtime.KeepAlive(query)
	return int(a.statements), a.class == classReadOnly
}
