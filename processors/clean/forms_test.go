package clean

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

// TestForms checks that Protobuf and JSON are told apart without a content type, whatever
// the length of the envelope: one of 123 bytes makes Protobuf begin as JSON may, with a
// line feed and a brace.
func TestForms(t *testing.T) {
	c := bustest.New(t)
	b := c.Member(vfs.NewMem())
	var posts []*kgo.Record
	for n := range 150 {
		id := fmt.Sprintf("%04d", n)
		value := protoText(func(m *schemas.Text) { m.EventID, m.Subject = id, strings.Repeat("s", n) })
		posts = append(posts, bustest.Input(bus.RawText, id, value), bustest.Input(bus.RawText, "wrong", bytes.Replace(value, []byte(id), []byte("w"+id[1:]), 1)))
	}
	odd := posts[:0:0]
	for _, r := range posts {
		if bytes.HasPrefix(r.Value, []byte("\n{")) {
			odd = append(odd, r)
		}
	}
	if len(odd) == 0 {
		t.Fatal("no post begins as JSON may: the test proves nothing")
	}
	json := bustest.Input(bus.RawText, "j", []byte("\n {\"id\":\"j\",\"text\":\"a text\"}"))
	broken := bustest.Input(bus.RawText, "b", []byte("\n{\"id\":\"b\",\"text\":7}"))
	c.Produce(append(posts, json, broken)...)
	stage := newStage(t, time.Now)
	c.MustDrain(b, stage)
	c.MustDrain(b, stage) // what was written again
	clean := 0
	for at, v := range verdicts(t, c, b) {
		switch {
		case v.Kind == schemas.KindCleanText:
			clean++
		case v.Kind == schemas.KindDuplicate && v.class == "rekeyed", at.String() == fmt.Sprint(place{broken.Topic, broken.Partition, broken.Offset}):
		default:
			t.Errorf("%s: %s %s", at, v.Kind, v.class)
		}
	}
	if want := len(posts) + 1; clean != want {
		t.Errorf("%d texts are clean, want %d", clean, want)
	}
	if v := verdicts(t, c, b)[at(broken)]; v.class != schemas.ClassInvalidField {
		t.Errorf("a number for a text: %s %s", v.Kind, v.class)
	}
}
