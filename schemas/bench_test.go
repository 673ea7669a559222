package schemas

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// plainText is Text as a program would write it for encoding/json.
type plainText struct {
	Tenant      string            `json:"tenant,omitempty"`
	EventID     string            `json:"event_id,omitempty"`
	EventTime   time.Time         `json:"event_time,omitzero"`
	Source      string            `json:"source,omitempty"`
	Subject     string            `json:"subject,omitempty"`
	Purpose     string            `json:"purpose,omitempty"`
	License     string            `json:"license,omitempty"`
	TraceID     string            `json:"trace_id,omitempty"`
	SpanID      string            `json:"span_id,omitempty"`
	SessionID   string            `json:"session_id,omitempty"`
	Text        string            `json:"text,omitempty"`
	Data        []byte            `json:"data,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Language    string            `json:"language,omitempty"`
	Label       string            `json:"label,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

// benchText is about 1 KB as JSON, with the escapes that a mail has.
func benchText() *Text {
	return &Text{
		Envelope: Envelope{
			Tenant: "acme", EventID: "2f9qXb3s8v0Yx1kJm5Lw7TzRc4d", EventTime: 1_719_792_000_123_456,
			Source: "support-mail", Subject: "user-4711", License: "CC-BY-4.0",
		},
		Text:        strings.Repeat("The quick brown fox — says \"hello\" to\nthe lazy dog, twice a day. ", 12),
		ContentType: "text/plain", Language: "en", Label: "mail",
		Attributes: map[string]string{"folder": "inbox", "priority": "3"},
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	input := benchText().AppendJSON(nil)
	b.Run("millrace", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		var m Text
		for b.Loop() {
			if err := m.DecodeJSON(input); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			var m plainText
			if err := json.Unmarshal(input, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	m := benchText()
	b.Run("millrace", func(b *testing.B) {
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			out = m.AppendJSON(out[:0])
		}
		b.SetBytes(int64(len(out)))
	})
	b.Run("encoding-json", func(b *testing.B) {
		var plain plainText
		if err := json.Unmarshal(m.AppendJSON(nil), &plain); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&plain); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	m := benchText()
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = m.MarshalAppend(out[:0])
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkUnmarshal(b *testing.B) {
	input := benchText().MarshalAppend(nil)
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	var m Text
	for b.Loop() {
		if err := m.Unmarshal(input); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	m := benchText()
	b.SetBytes(int64(m.Size()))
	for b.Loop() {
		if err := m.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
