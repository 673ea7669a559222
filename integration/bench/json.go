package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

const (
	jsonRecords = 200_000
	jsonBytes   = 1000
)

// benchJSON compares JSON in to a clean record out with the same by encoding/json: the
// rules are the same on both sides. The second row leaves the rules out.
func benchJSON(ctx context.Context, o options) ([]row, error) {
	names := []string{"json-millrace", "json-peer", "codec-millrace", "codec-peer"}
	results, err := takeTurns(ctx, o, names, func(int) (task, func(), error) { return task{Count: jsonRecords}, func() {}, nil })
	if err != nil {
		return nil, err
	}
	return []row{
		compare("JSON in, rules, record out, 1 KB", "/s", "2", rates(results["json-millrace"]), rates(results["json-peer"])),
		compare("the same without the rules", "/s", "", rates(results["codec-millrace"]), rates(results["codec-peer"])),
	}, nil
}

// posts are texts of about 1 KB as clients send them; one in four holds an e-mail
// address, one in eight a phone number.
func posts() [][]byte {
	out := make([][]byte, 512)
	for i := range out {
		body := prose(uint64(i), jsonBytes)
		switch {
		case i%8 == 1:
			body = body[:500] + " call +1 (212) 555-0142 today " + body[500:]
		case i%4 == 0:
			body = body[:300] + fmt.Sprintf(" write to person.%d@example.org ", i) + body[300:]
		}
		body = strings.ReplaceAll(body, ". ", ".\n") // mail and chat have lines, which JSON escapes
		m := schemas.Text{Text: body, ContentType: "text/plain", Language: "en", Attributes: map[string]string{"folder": "inbox", "thread": fmt.Sprint(i)}}
		m.EventID, m.Source, m.Subject = fmt.Sprintf("event-%06d", i), "bench", fmt.Sprint("person-", i)
		m.EventTime = schemas.MicrosOf(time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC))
		out[i] = m.AppendJSON(nil)
	}
	return out
}

var arrivedAt = schemas.MicrosOf(time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC))

// cleaning is a step from a text to its clean form: the rules, or nothing.
func cleaning(apply bool) (func(*schemas.Text, *schemas.CleanText) error, error) {
	if !apply {
		return func(m *schemas.Text, out *schemas.CleanText) error {
			out.Envelope, out.Text, out.ContentType, out.Language, out.Attributes = m.Envelope, m.Text, m.ContentType, m.Language, m.Attributes
			return nil
		}, nil
	}
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		return nil, err
	}
	return func(m *schemas.Text, out *schemas.CleanText) error {
		out.ArrivedAt = arrivedAt
		if v := r.Text(m, out); !v.Clean() {
			return fmt.Errorf("event %s is rejected: %s", m.EventID, v.Rule)
		}
		return nil
	}, nil
}

func jsonMillrace(_ context.Context, t task) (result, error)  { return cleanMillrace(t, true) }
func jsonPeer(_ context.Context, t task) (result, error)      { return cleanPeer(t, true) }
func codecMillrace(_ context.Context, t task) (result, error) { return cleanMillrace(t, false) }
func codecPeer(_ context.Context, t task) (result, error)     { return cleanPeer(t, false) }

func cleanMillrace(t task, apply bool) (result, error) {
	step, err := cleaning(apply)
	if err != nil {
		return result{}, err
	}
	in := posts()
	var m schemas.Text
	var out schemas.CleanText
	var buf []byte
	watch := startWatch()
	for i := range t.Count {
		if err := m.DecodeJSON(in[i%len(in)]); err != nil {
			return result{}, err
		}
		if err := step(&m, &out); err != nil {
			return result{}, err
		}
		buf = out.MarshalAppend(buf[:0])
	}
	return watch.stop(t.Count), nil
}

func cleanPeer(t task, apply bool) (result, error) {
	step, err := cleaning(apply)
	if err != nil {
		return result{}, err
	}
	in := posts()
	watch := startWatch()
	for i := range t.Count {
		var p plainText
		if err := json.Unmarshal(in[i%len(in)], &p); err != nil {
			return result{}, err
		}
		m := p.text()
		var out schemas.CleanText
		if err := step(m, &out); err != nil {
			return result{}, err
		}
		if _, err := json.Marshal(plainOf(&out)); err != nil {
			return result{}, err
		}
	}
	return watch.stop(t.Count), nil
}

// plainText is a text as a service that has no schema declares it: fewer fields than
// ours, and nothing is checked.
type plainText struct {
	Tenant       string            `json:"tenant,omitempty"`
	EventID      string            `json:"event_id,omitempty"`
	EventTime    time.Time         `json:"event_time"`
	Source       string            `json:"source,omitempty"`
	Subject      string            `json:"subject,omitempty"`
	ContentHash  string            `json:"content_hash,omitempty"`
	RulesVersion string            `json:"rules_version,omitempty"`
	ArrivedAt    time.Time         `json:"arrived_at"`
	Text         string            `json:"text"`
	ContentType  string            `json:"content_type,omitempty"`
	Language     string            `json:"language,omitempty"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Quality      float64           `json:"quality,omitempty"`
	Characters   int64             `json:"characters,omitempty"`
	Redactions   map[string]int64  `json:"redactions,omitempty"`
}

func (p *plainText) text() *schemas.Text {
	m := &schemas.Text{Text: p.Text, ContentType: p.ContentType, Language: p.Language, Attributes: p.Attributes}
	m.Tenant, m.EventID, m.EventTime, m.Source, m.Subject = p.Tenant, p.EventID, schemas.MicrosOf(p.EventTime), p.Source, p.Subject
	return m
}

func plainOf(m *schemas.CleanText) *plainText {
	return &plainText{
		Tenant: m.Tenant, EventID: m.EventID, EventTime: m.EventTime.Time(), Source: m.Source, Subject: m.Subject,
		ContentHash: m.ContentHash, RulesVersion: m.RulesVersion, ArrivedAt: m.ArrivedAt.Time(), Text: m.Text,
		ContentType: m.ContentType, Language: m.Language, Attributes: m.Attributes,
		Quality: m.Quality, Characters: m.Characters, Redactions: m.Redactions,
	}
}
