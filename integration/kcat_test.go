//go:build integration

package integration

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

const kcatText = "A text that kcat sends, long enough for the rules of this house: "

// sendKcat produces texts with kcat: under the right key and Kafka's own hash, under the
// right key and librdkafka's, which often means another partition, and without a key.
// Each is one event, wherever it lay first.
func (w *world) sendKcat(t *testing.T) {
	t.Helper()
	lines := func(prefix string, keyed bool) string {
		var b strings.Builder
		for i := range 6 {
			id := fmt.Sprintf("%s-%d", prefix, i)
			if keyed {
				b.WriteString(id + "\t")
			}
			b.WriteString(w.text(id, kcatText+id, kcatText+id, nil, nil) + "\n")
		}
		return b.String()
	}
	client(t, lines("java", true), "kcat", "-P", "-b", w.Kafka, "-t", "raw.text", "-K", "\t", "-X", "partitioner=murmur2_random")
	client(t, lines("crc", true), "kcat", "-P", "-b", w.Kafka, "-t", "raw.text", "-K", "\t", "-X", "partitioner=consistent")
	client(t, lines("keyless", false), "kcat", "-P", "-b", w.Kafka, "-t", "raw.text")
	const partitions = 2
	home := kgo.StickyKeyPartitioner(nil).ForTopic("raw.text")
	for i := range 6 {
		id := fmt.Sprintf("crc-%d", i)
		if int(crc32.ChecksumIEEE([]byte(id))%partitions) != home.Partition(&kgo.Record{Key: []byte(id)}, partitions) {
			w.rekeyed = append(w.rekeyed, id)
		}
		w.rekeyed = append(w.rekeyed, fmt.Sprintf("keyless-%d", i))
	}
	if n := len(w.rekeyed); n == 6 || n == 12 {
		t.Fatalf("the keys of %v do not tell the two hashes apart", w.rekeyed)
	}
}

// testKcat consumes clean.text: every text once under its id, and the verdicts on the
// records that were written again.
func testKcat(t *testing.T, w *world) {
	if topics := client(t, "", "kcat", "-L", "-b", w.Kafka); !strings.Contains(topics, `topic "clean.text" with 2 partitions`) {
		t.Errorf("kcat -L says %s", topics)
	}
	out := client(t, "", "kcat", "-C", "-q", "-e", "-b", w.Kafka, "-t", "clean.text", "-f", "%S %k %s%h;end\n")
	var texts []textRow
	var rekeyed []string
	for out != "" {
		size, rest, _ := strings.Cut(out, " ")
		key, rest, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(size)
		if err != nil || n > len(rest) {
			t.Fatalf("kcat printed %q", out)
		}
		value := rest[:n]
		headers, rest, _ := strings.Cut(rest[n:], ";end\n")
		out = rest
		_, kind, _ := strings.Cut(headers, "mr-kind=")
		m := schemas.New(schemas.Kind(kind))
		if m == nil {
			t.Fatalf("a record of kind %q, with headers %q", kind, headers)
		}
		if err := m.Unmarshal([]byte(value)); err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *schemas.CleanText:
			if key != m.EventID {
				t.Errorf("the text %s has key %q", m.EventID, key)
			}
			texts = append(texts, textRowOf(m))
		case *schemas.Duplicate:
			rekeyed = append(rekeyed, m.EventID)
		default:
			t.Errorf("a record of kind %s: %s", kind, m.AppendJSON(nil))
		}
	}
	slices.SortFunc(texts, func(a, b textRow) int { return strings.Compare(a.EventID, b.EventID) })
	slices.Sort(rekeyed)
	checkRows(t, "kcat", w.texts, texts)
	if !slices.Equal(rekeyed, w.rekeyed) {
		t.Errorf("kcat finds %q rekeyed, want %q", rekeyed, w.rekeyed)
	}
	// A consumer group: all once, and nothing again.
	group := []string{"-G", "readers", "-q", "-e", "-b", w.Kafka, "-X", "auto.offset.reset=earliest", "-f", "%k\n", "clean.text"}
	if n := strings.Count(client(t, "", "kcat", group...), "\n"); n != len(texts)+len(rekeyed) {
		t.Errorf("the group read %d records, want %d", n, len(texts)+len(rekeyed))
	}
	if again := client(t, "", "kcat", group...); again != "" {
		t.Errorf("the group read again %q", again)
	}
}

func textRowOf(m *schemas.CleanText) textRow {
	row := textRow{
		EventID: m.EventID, EventTime: m.EventTime.Time().Format("2006-01-02T15:04:05.000000Z"), Source: m.Source, Text: m.Text,
		Language: m.Language, Label: m.Label, Attributes: m.Attributes, Characters: m.Characters, Redactions: m.Redactions,
	}
	if row.Attributes == nil {
		row.Attributes = map[string]string{}
	}
	if row.Redactions == nil {
		row.Redactions = map[string]int64{}
	}
	return row
}
