package collector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// The media types that are known, each under the first of its names.
const (
	mediaJSON     = "application/json"
	mediaLines    = "application/x-ndjson"
	mediaProtobuf = "application/x-protobuf"
)

// maxIdempotencyKey bounds an Idempotency-Key, so that an id made of it fits.
const maxIdempotencyKey = 100

// event is one that can be taken.
type event struct {
	index   int // in the request
	message schemas.Message
}

// faults is what is wrong with events of a request.
type faults struct {
	listed []eventError
	all    int
	// tooLarge counts those that the log would not take for their size alone.
	tooLarge int
}

// maxListed bounds the faults that an answer lists.
const maxListed = 100

func (f *faults) add(index int, e *eventError) {
	f.all++
	if len(f.listed) < maxListed {
		e.Index = index
		f.listed = append(f.listed, *e)
	}
}

// answer puts the faults into a.
func (f *faults) answer(a answer) answer {
	slices.SortFunc(f.listed, func(a, b eventError) int { return a.Index - b.Index })
	a.Errors, a.MoreErrors = f.listed, f.all-len(f.listed)
	return a
}

// read takes a request apart, while it arrives: the events that can be taken, and what is
// wrong with others.
func (c *Collector) read(w http.ResponseWriter, r *http.Request, kind schemas.Kind, room *room) (events []event, bad faults, err error) {
	media, key, err := c.head(r)
	if err != nil {
		return nil, bad, err
	}
	if err := room.take(requestOverhead); err != nil {
		return nil, bad, err
	}
	in, err := c.body(w, r, room)
	if err != nil {
		return nil, bad, err
	}
	defer in.done()
	parts, err := newParts(in, media, c.cfg.MaxEventBytes)
	if err != nil {
		return nil, bad, err
	}
	for i := 0; ; i++ {
		if err := parts.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, bad, err
		}
		if i == c.cfg.MaxEvents {
			return nil, bad, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d events, which is the limit (max_events); send them in several requests", i)
		}
		m, wrong, err := c.event(parts, media, kind)
		if err != nil {
			return nil, bad, err
		}
		if wrong != nil {
			bad.add(i, wrong)
			continue
		}
		if err := room.take(overhead(m)); err != nil {
			return nil, bad, err
		}
		if env := m.Env(); env.EventID == "" && key != "" {
			env.EventID = key
			if parts.each {
				env.EventID = fmt.Sprintf("%s-%d", key, i)
			}
		}
		events = append(events, event{i, m})
	}
	if len(events)+bad.all == 0 {
		return nil, bad, refuse(http.StatusBadRequest, "the body holds no event")
	}
	return events, bad, nil
}

// head checks what can be known before the body is read.
func (c *Collector) head(r *http.Request) (media, key string, err error) {
	if r.Method != http.MethodPost {
		return "", "", refuse(http.StatusMethodNotAllowed, "POST events here")
	}
	if media, err = mediaOf(r.Header.Get("Content-Type")); err != nil {
		return "", "", err
	}
	if c.deps.Room != nil {
		if err := c.deps.Room(); err != nil {
			return "", "", refuse(http.StatusServiceUnavailable, "%s", err)
		}
	}
	if r.ContentLength > c.cfg.MaxBodyBytes {
		return "", "", refuse(http.StatusRequestEntityTooLarge, "the body has %d bytes, the limit is %d", r.ContentLength, c.cfg.MaxBodyBytes)
	}
	key = r.Header.Get("Idempotency-Key")
	if len(key) > maxIdempotencyKey {
		return "", "", refuse(http.StatusBadRequest, "the Idempotency-Key has %d bytes, the limit is %d", len(key), maxIdempotencyKey)
	}
	if !utf8.ValidString(key) {
		return "", "", refuse(http.StatusBadRequest, "the Idempotency-Key is not UTF-8")
	}
	return media, key, nil
}

// mediaOf is the media type of a body.
//
// One must be given, and none of those that a browser lets any page send to any address
// without asking first: forms, plain text, and nothing. So no page that a user of this
// machine happens to read can write events.
func mediaOf(contentType string) (string, error) {
	const mend = "say -H 'Content-Type: application/json'"
	if contentType == "" {
		return "", refuse(http.StatusUnsupportedMediaType, "there is no content type; %s", mend)
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", refuse(http.StatusUnsupportedMediaType, "the content type %q cannot be read", contentType)
	}
	switch media {
	case mediaJSON, "text/json":
		return mediaJSON, nil
	case mediaLines, "application/jsonl", "application/x-jsonlines":
		return mediaLines, nil
	case mediaProtobuf, "application/protobuf":
		return mediaProtobuf, nil
	case "application/x-www-form-urlencoded":
		return "", refuse(http.StatusUnsupportedMediaType, "the content type %q, which curl gives where it is told none, is not known; %s", media, mend)
	}
	return "", refuse(http.StatusUnsupportedMediaType, "the content type %q is not known; application/json, application/x-ndjson and application/x-protobuf are", media)
}

// event decodes the event at hand, and checks what only the edge knows. It refuses the
// whole request where the event is a piece of JSON that is none.
func (c *Collector) event(p *parts, media string, kind schemas.Kind) (schemas.Message, *eventError, error) {
	if p.size > int64(c.cfg.MaxEventBytes) {
		return nil, &eventError{Class: schemas.ClassTooLarge, Message: fmt.Sprintf("the event has %d bytes, the limit is %d", p.size, c.cfg.MaxEventBytes)}, nil
	}
	m := schemas.New(kind)
	decode := m.DecodeJSON
	if media == mediaProtobuf {
		decode = m.Unmarshal
	}
	if err := decode(p.kept); err != nil {
		wrong := lasting(err)
		if wrong == nil {
			wrong = &eventError{Class: schemas.ClassInvalidJSON, Message: err.Error()}
		}
		if media == mediaJSON && wrong.Class == schemas.ClassInvalidJSON && !json.Valid(p.kept) {
			return nil, nil, refuse(http.StatusBadRequest, "the body is not JSON: %s", jsonFault(p.kept, p.start))
		}
		return nil, wrong, nil
	}
	env := m.Env()
	if env.Tenant != "" && env.Tenant != c.deps.Tenant {
		return nil, &eventError{Class: schemas.ClassInvalidField, Field: "tenant", Message: "the tenant is given by who sends it; leave it out"}, nil
	}
	env.Tenant = c.deps.Tenant
	if t, ok := m.(*schemas.Text); ok && t.Text == "" && len(t.Data) == 0 {
		return nil, &eventError{Class: schemas.ClassMissingField, Field: "text", Message: "text or data is missing"}, nil
	}
	if f, ok := m.(*schemas.Feedback); ok && c.deps.Vouch != nil {
		for field, id := range map[string]string{"inference_id": f.InferenceID, "preferred_over": f.PreferredOver} {
			if err := c.deps.Vouch(env.Tenant, id); err != nil {
				return nil, &eventError{Class: schemas.ClassInvalidField, Field: field, Message: err.Error()}, nil //nolint:nilerr // the event is wrong, and not the request
			}
		}
	}
	return m, nil, nil
}

// lasting is what is wrong with an event that meets err however often it is sent; nil
// where it may pass another time.
func lasting(err error) *eventError {
	var e *schemas.FieldError
	switch {
	case errors.As(err, &e):
		return &eventError{Class: e.Class, Field: e.Field, Message: e.Error()}
	case errors.Is(err, client.ErrTooLarge):
		return &eventError{Class: schemas.ClassTooLarge, Message: err.Error()}
	}
	return nil
}
