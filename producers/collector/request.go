package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/schemas"
)

// maxRatio bounds how much larger than its compressed form a body may be: JSON reaches
// some 30, a bomb thousands.
const maxRatio = 200

// ratioFrom is the size below which the ratio is of no interest.
const ratioFrom = 1 << 20

// read takes a request apart: the events that can be taken, what is wrong with others,
// and a function that gives back the room that the request holds.
func (c *Collector) read(w http.ResponseWriter, r *http.Request, kind schemas.Kind) (events []schemas.Message, bad []eventError, release func(), err error) {
	release = func() {}
	if r.Method != http.MethodPost {
		return nil, nil, release, refuse(http.StatusMethodNotAllowed, "POST events here")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		media, err = "application/json", nil
	}
	if err != nil {
		return nil, nil, release, refuse(http.StatusUnsupportedMediaType, "the content type %q cannot be read", r.Header.Get("Content-Type"))
	}
	if c.deps.Room != nil {
		if err := c.deps.Room(); err != nil {
			return nil, nil, release, refuse(http.StatusServiceUnavailable, "%s", err)
		}
	}
	// The room is taken before the body is read: for a body of unknown size, or a
	// compressed one, all that it may have.
	size := c.cfg.MaxBodyBytes
	if r.ContentLength >= 0 && r.Header.Get("Content-Encoding") == "" {
		size = r.ContentLength
	}
	if r.ContentLength > c.cfg.MaxBodyBytes {
		return nil, nil, release, refuse(http.StatusRequestEntityTooLarge, "the body has %d bytes, the limit is %d", r.ContentLength, c.cfg.MaxBodyBytes)
	}
	if c.inFlight.Add(size) > c.cfg.MaxInFlight {
		c.inFlight.Add(-size)
		return nil, nil, release, refuse(http.StatusTooManyRequests, "too much is at work; send it again in a moment")
	}
	release = func() { c.inFlight.Add(-size) }
	body, err := c.body(w, r)
	if err != nil {
		return nil, nil, release, err
	}
	parts, each, err := split(body, media)
	if err != nil {
		return nil, nil, release, err
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 100 {
		return nil, nil, release, refuse(http.StatusBadRequest, "the Idempotency-Key has %d bytes, the limit is 100", len(key))
	}
	if !utf8.ValidString(key) {
		return nil, nil, release, refuse(http.StatusBadRequest, "the Idempotency-Key is not UTF-8")
	}
	for i, part := range parts {
		m, wrong := c.event(part, media, kind)
		if wrong != nil {
			wrong.Index = i
			bad = append(bad, *wrong)
			continue
		}
		if env := m.Env(); env.EventID == "" && key != "" {
			env.EventID = key
			if each {
				env.EventID = fmt.Sprintf("%s-%d", key, i)
			}
		}
		events = append(events, m)
	}
	if len(parts) == 0 {
		return nil, nil, release, refuse(http.StatusBadRequest, "the body holds no event")
	}
	return events, bad, release, nil
}

// body reads and decompresses, within bounds.
func (c *Collector) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw := &counter{r: http.MaxBytesReader(w, r.Body, c.cfg.MaxBodyBytes)}
	var in io.Reader = raw
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "the body is not gzip: %s", err)
		}
		in = z
	case "zstd":
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(c.cfg.MaxBodyBytes)), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "the body is not zstd: %s", err)
		}
		defer z.Close()
		in = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "the content encoding %q is not known; gzip and zstd are", encoding)
	}
	var out bytes.Buffer
	for {
		_, err := io.CopyN(&out, in, 64<<10)
		size := int64(out.Len())
		if size > c.cfg.MaxBodyBytes || size > ratioFrom && size > maxRatio*max(1, raw.n) {
			return nil, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes, or unpacks to more than %d times its size", c.cfg.MaxBodyBytes, maxRatio)
		}
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			var large *http.MaxBytesError
			if errors.As(err, &large) {
				return nil, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", large.Limit)
			}
			return nil, refuse(http.StatusBadRequest, "the body cannot be read: %s", err)
		}
	}
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// split cuts a body into events; each says whether it is of the kind that holds several.
func split(body []byte, media string) (parts [][]byte, each bool, err error) {
	switch media {
	case "application/x-protobuf", "application/protobuf":
		return [][]byte{body}, false, nil
	case "application/x-ndjson", "application/jsonl", "application/x-jsonlines":
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				parts = append(parts, line)
			}
		}
		return parts, true, nil
	case "application/json", "text/json":
	default:
		return nil, false, refuse(http.StatusUnsupportedMediaType, "the content type %q is not known; application/json, application/x-ndjson and application/x-protobuf are", media)
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '[' {
		if !json.Valid(body) {
			return nil, false, refuse(http.StatusBadRequest, "the body is not JSON: %s", jsonFault(body))
		}
		return [][]byte{body}, false, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, true, refuse(http.StatusBadRequest, "the body is not a JSON array: %s", err)
	}
	for _, p := range list {
		parts = append(parts, p)
	}
	return parts, true, nil
}

// jsonFault says what is wrong with a body that is not JSON, and where.
func jsonFault(body []byte) string {
	if len(body) == 0 {
		return "it is empty"
	}
	var any json.RawMessage
	err := json.Unmarshal(body, &any)
	var fault *json.SyntaxError
	if errors.As(err, &fault) {
		return fmt.Sprintf("%s (at byte %d)", fault, max(0, fault.Offset-1))
	}
	return fmt.Sprint(err)
}

// event decodes one event, and checks what only the edge knows.
func (c *Collector) event(part []byte, media string, kind schemas.Kind) (schemas.Message, *eventError) {
	if len(part) > c.cfg.MaxEventBytes {
		return nil, &eventError{Class: schemas.ClassTooLarge, Message: fmt.Sprintf("the event has %d bytes, the limit is %d", len(part), c.cfg.MaxEventBytes)}
	}
	m := schemas.New(kind)
	decode := m.DecodeJSON
	if media == "application/x-protobuf" || media == "application/protobuf" {
		decode = m.Unmarshal
	}
	if err := decode(part); err != nil {
		var e *schemas.FieldError
		if errors.As(err, &e) {
			return nil, &eventError{Class: e.Class, Field: e.Field, Message: e.Error()}
		}
		return nil, &eventError{Class: schemas.ClassInvalidJSON, Message: err.Error()}
	}
	env := m.Env()
	if env.Tenant != "" && env.Tenant != c.deps.Tenant {
		return nil, &eventError{Class: schemas.ClassInvalidField, Field: "tenant", Message: "the tenant is given by who sends it; leave it out"}
	}
	env.Tenant = c.deps.Tenant
	if t, ok := m.(*schemas.Text); ok && t.Text == "" && len(t.Data) == 0 {
		return nil, &eventError{Class: schemas.ClassMissingField, Field: "text", Message: "text or data is missing"}
	}
	return m, nil
}
