package clickhouse

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// front answers ClickHouse's HTTP interface.
type front struct {
	cfg    Config
	lib    *library
	log    *slog.Logger
	killer chan *conn // one connection that kills queries
	// Millrace's own statements have slots of their own: strangers cannot take them.
	inside, outside chan struct{}
	next            atomic.Uint64
	prefix          string // of this process's query comments
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	steady := &steadyWriter{ResponseWriter: w, c: http.NewResponseController(w)}
	defer steady.extend() // what is buffered is sent behind this
	w = steady
	w.Header().Set("X-ClickHouse-Server-Display-Name", "millrace")
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		fmt.Fprint(w, "Ok.\n")
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.RawQuery == "" {
		fmt.Fprint(w, "Ok.\n")
		return
	}
	if err := f.one(w, r, steady.c); err != nil {
		f.refuse(w, err)
	}
}

// one runs a request's statement. A slot is taken by whoever is known and has sent a
// whole statement, within a time.
func (f *front) one(w http.ResponseWriter, r *http.Request, c *http.ResponseController) error {
	req := &request{params: r.URL.Query(), header: r.Header}
	if err := f.authenticate(r, req); err != nil {
		return err
	}
	slots := f.inside
	if !req.inside {
		slots = f.outside
		if err := c.SetReadDeadline(time.Now().Add(statementTimeout)); err != nil {
			return err
		}
	}
	if err := req.read(r); err != nil {
		return err
	}
	if !req.inside { // or whoever waits for the answer would look as if gone
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	return f.serve(w, r, req)
}

// steadyWriter ends an answer that its reader does not take: each piece of it has a time
// of its own.
type steadyWriter struct {
	http.ResponseWriter
	c *http.ResponseController
}

func (s *steadyWriter) extend() { _ = s.c.SetWriteDeadline(time.Now().Add(pieceTimeout)) } // a connection without deadlines has none

func (s *steadyWriter) WriteHeader(status int) {
	s.extend()
	s.ResponseWriter.WriteHeader(status)
}

func (s *steadyWriter) Write(b []byte) (int, error) {
	s.extend()
	return s.ResponseWriter.Write(b)
}

// refuse answers with the engine's error. Where the answer has begun, the connection is
// cut, since a half answer must not look whole.
func (f *front) refuse(w http.ResponseWriter, err error) {
	var begun *begunError
	if errors.As(err, &begun) {
		panic(http.ErrAbortHandler)
	}
	var e *queryError
	if !errors.As(err, &e) {
		e = newError(unknownCode, "%s", err)
	}
	h := w.Header()
	h.Del("Content-Encoding")
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("X-ClickHouse-Exception-Code", fmt.Sprint(e.code))
	w.WriteHeader(e.status())
	fmt.Fprintln(w, e.text)
}

// begunError is an error behind the first byte of the answer.
type begunError struct{ err error }

func (e *begunError) Error() string { return e.err.Error() }
func (e *begunError) Unwrap() error { return e.err }

func (f *front) authenticate(r *http.Request, req *request) error {
	user, password, ok := r.BasicAuth()
	if !ok {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	if user == "" {
		user, password = req.params.Get("user"), req.params.Get("password")
	}
	switch {
	case user == User && subtle.ConstantTimeCompare([]byte(password), []byte(f.cfg.Password)) == 1:
		req.inside = true
	case user == "" || user == "default":
		// As a server does for a user without a password, it takes any: the JDBC driver
		// sends "null" where it was given none.
	default:
		return newError(516, "%s: Authentication failed: password is incorrect, or there is no user with such name. (The embedded engine has the user default, who reads, and needs no password.)", user)
	}
	return nil
}

func (f *front) serve(w http.ResponseWriter, r *http.Request, req *request) error {
	c, err := f.lib.open(f.cfg.args())
	if err != nil {
		return err
	}
	defer c.close()
	comment := fmt.Sprintf("%s-%d", f.prefix, f.next.Add(1))
	if err := f.prepare(c, req, comment); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-done:
		case <-r.Context().Done():
			f.kill(comment)
		}
	}()
	w.Header().Set("X-ClickHouse-Query-Id", req.queryID(comment))
	w.Header().Set("X-ClickHouse-Timezone", "UTC")
	if req.insert != nil {
		return f.insert(w, c, req)
	}
	if req.isHello() {
		return writeHello(w, req)
	}
	if !req.inside {
		if err := guard(c, req.query); err != nil {
			return err
		}
	}
	return f.answer(w, r, c, req)
}

// prepare gives the connection its settings, parameters and database.
func (f *front) prepare(c *conn, req *request, comment string) error {
	set := []string{"log_comment = " + quote(comment)}
	for _, s := range req.settings() {
		set = append(set, s.name+" = "+quote(s.value))
	}
	if !req.inside {
		set = append(set,
			fmt.Sprintf("max_execution_time = %d", outsideSeconds),
			fmt.Sprintf("max_memory_usage = %d", outsideMemory),
			"final = 1", "readonly = 1")
		if !req.streams() {
			// The engine holds such an answer whole, beside the query's own memory.
			set = append(set, fmt.Sprintf("max_result_bytes = %d", maxWholeResult))
		}
		if _, err := c.exec("SET ROLE "+outsideRole, "Null"); err != nil {
			return err
		}
	}
	if req.database != "" {
		if _, err := c.exec("USE "+quoteName(req.database), "Null"); err != nil {
			return err
		}
	}
	_, err := c.exec("SET "+strings.Join(set, ", "), "Null")
	return err
}

// kill ends a query by its comment.
func (f *front) kill(comment string) {
	c := <-f.killer
	defer func() { f.killer <- c }()
	if _, err := c.exec("KILL QUERY WHERE Settings['log_comment'] = "+quote(comment)+" ASYNC", "Null"); err != nil {
		f.log.Warn("a query cannot be cancelled", "error", err)
	}
}

func (f *front) answer(w http.ResponseWriter, r *http.Request, c *conn, req *request) error {
	// The engine runs a text without a statement, such as control bytes, as nothing.
	if n, _ := c.classify(req.query); n == 0 {
		if _, err := c.exec(req.query, "Null"); err != nil {
			return err
		}
		return newError(62, "Syntax error: the text holds no statement. (SYNTAX_ERROR)")
	}
	format := req.format()
	w.Header().Set("X-ClickHouse-Format", format)
	w.Header().Set("Content-Type", contentType(format))
	out, err := req.responseWriter(w)
	if err != nil {
		return err
	}
	if req.streams() {
		begun := false
		_, err := c.stream(req.query, format, func(b []byte) error {
			if !begun {
				begun = true
				w.Header().Set("X-ClickHouse-Summary", `{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0","result_rows":"0"}`)
			}
			_, err := out.Write(b)
			return err
		})
		switch {
		case err == nil:
			return out.Close()
		case begun:
			return &begunError{err}
		default:
			return err
		}
	}
	o, err := c.exec(req.query, format)
	if err != nil {
		return err
	}
	if len(o.data) > maxWholeResult {
		return newError(396, "Limit for result exceeded: the answer has %d bytes, and %s cannot be streamed; ask for a format such as JSONEachRow, TabSeparated or Native, or for fewer rows. (TOO_MANY_ROWS_OR_BYTES)", len(o.data), format)
	}
	w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"0","result_rows":"0"}`, o.rowsRead, o.bytesRead, o.rowsWritten))
	if _, err := out.Write(o.data); err != nil {
		return &begunError{err}
	}
	return out.Close()
}

func (f *front) insert(w http.ResponseWriter, c *conn, req *request) error {
	if !req.inside {
		return newError(497, "default: Not enough privileges. To execute this query, it's necessary to have the grant INSERT: strangers read. (ACCESS_DENIED)")
	}
	// The engine takes a text that is no statement for an insert of nothing.
	if !isInsert(req.insert.text) {
		return newError(62, "Syntax error: the text is no INSERT. (SYNTAX_ERROR)")
	}
	ins, err := c.insert(req.insert.text, req.insert.format)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{ins}, req.insert.data, make([]byte, insertChunk)); err != nil {
		ins.cancel()
		return err
	}
	o, err := ins.done()
	if err != nil {
		return err
	}
	w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","read_bytes":"0","written_rows":"%d","written_bytes":"0","result_rows":"%d"}`, o.rowsWritten, o.rowsWritten, o.rowsWritten))
	w.WriteHeader(http.StatusOK)
	return nil
}

// writeHello answers clickhouse-go's first query. The engine writes Native blocks of
// revision 0; the client learns that here, from a block of its own revision.
func writeHello(w http.ResponseWriter, req *request) error {
	block := proto.NewBlock()
	for _, c := range []struct{ name, typ string }{{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"}} {
		if err := block.AddColumn(c.name, typeOf(c.typ)); err != nil {
			return err
		}
	}
	if err := block.Append("millrace", engineVersion, uint32(0), "UTC"); err != nil {
		return err
	}
	b, err := encodeBlock(block, req.protocolVersion())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType("Native"))
	out, err := req.responseWriter(w)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, bytes.NewReader(b)); err != nil {
		return &begunError{err}
	}
	return out.Close()
}

// shutdown kills what runs and waits for it.
func (f *front) shutdown(ctx context.Context) {
	c := <-f.killer
	if _, err := c.exec("KILL QUERY WHERE Settings['log_comment'] LIKE "+quote(f.prefix+"-%")+" ASYNC", "Null"); err != nil {
		f.log.Warn("queries cannot be cancelled", "error", err)
	}
	f.killer <- c
	for _, slots := range []chan struct{}{f.inside, f.outside} {
		for range cap(slots) {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}
}
