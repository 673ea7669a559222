package clean

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// mails are posts of about 1 KB as a client sends them.
func mails() [][]byte {
	out := make([][]byte, 64)
	for i := range out {
		body := strings.Repeat(fmt.Sprintf("Message %d says that the meeting is moved to room %d, and asks \"who\" comes.\\n", i, i*7), 11)
		m := schemas.Text{Text: body, ContentType: "text/plain", Language: "en", Attributes: map[string]string{"folder": "inbox", "thread": fmt.Sprint(i)}}
		m.EventID, m.Source, m.Subject = fmt.Sprintf("event-%06d", i), "bench", fmt.Sprint("person-", i)
		m.EventTime = schemas.MicrosOf(time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC))
		out[i] = m.AppendJSON(nil)
	}
	return out
}

// BenchmarkClean measures JSON in to a clean record out, with the schemas' own codecs and
// with encoding/json; the rules are the same. Codec is the part without the rules.
func BenchmarkClean(b *testing.B) {
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	in := mails()
	arrived := schemas.MicrosOf(time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC))
	clean := func(m *schemas.Text, out *schemas.CleanText) {
		out.ArrivedAt = arrived
		if v := r.Text(m, out); !v.Clean() {
			b.Fatalf("%+v", v)
		}
	}
	pass := func(m *schemas.Text, out *schemas.CleanText) {
		out.Envelope, out.Text, out.ContentType, out.Language, out.Attributes = m.Envelope, m.Text, m.ContentType, m.Language, m.Attributes
	}
	for name, step := range map[string]func(*schemas.Text, *schemas.CleanText){"clean": clean, "codec": pass} {
		b.Run(name+"/millrace", func(b *testing.B) {
			var m schemas.Text
			var out schemas.CleanText
			var buf []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.SetBytes(int64(len(in[i%len(in)])))
				if err := m.DecodeJSON(in[i%len(in)]); err != nil {
					b.Fatal(err)
				}
				step(&m, &out)
				buf = out.MarshalAppend(buf[:0])
			}
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.SetBytes(int64(len(in[i%len(in)])))
				m, err := plain(in[i%len(in)])
				if err != nil {
					b.Fatal(err)
				}
				var out schemas.CleanText
				step(m, &out)
				if _, err := json.Marshal(plainOf(&out)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// plainText is a text as a service without a schema of its own has it.
type plainText struct {
	Tenant      string            `json:"tenant,omitempty"`
	EventID     string            `json:"event_id,omitempty"`
	EventTime   time.Time         `json:"event_time"`
	Source      string            `json:"source,omitempty"`
	Subject     string            `json:"subject,omitempty"`
	ContentHash string            `json:"content_hash,omitempty"`
	ArrivedAt   time.Time         `json:"arrived_at"`
	Text        string            `json:"text"`
	ContentType string            `json:"content_type,omitempty"`
	Language    string            `json:"language,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Quality     float64           `json:"quality,omitempty"`
	Characters  int64             `json:"characters,omitempty"`
}

func plain(data []byte) (*schemas.Text, error) {
	var p plainText
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	m := &schemas.Text{Text: p.Text, ContentType: p.ContentType, Language: p.Language, Attributes: p.Attributes}
	m.Tenant, m.EventID, m.EventTime, m.Source, m.Subject = p.Tenant, p.EventID, schemas.MicrosOf(p.EventTime), p.Source, p.Subject
	return m, nil
}

func plainOf(m *schemas.CleanText) *plainText {
	return &plainText{
		Tenant: m.Tenant, EventID: m.EventID, EventTime: m.EventTime.Time(), Source: m.Source, Subject: m.Subject, ContentHash: m.ContentHash,
		ArrivedAt: m.ArrivedAt.Time(), Text: m.Text, ContentType: m.ContentType, Language: m.Language, Attributes: m.Attributes,
		Quality: m.Quality, Characters: m.Characters,
	}
}
