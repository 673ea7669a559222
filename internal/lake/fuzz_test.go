package lake

import (
	"context"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
)

// holding is a store of one object.
type holding struct {
	objstore.Store
	data []byte
}

func (h holding) Get(context.Context, string) ([]byte, error) { return h.data, nil }

// FuzzClaim reads what may stand under a claim's key: an end behind the range's first
// offset, or an error.
func FuzzClaim(f *testing.F) {
	f.Add([]byte(`{"end":12}`), int64(3))
	f.Add([]byte(`{"end":-1}`), int64(0))
	f.Fuzz(func(t *testing.T, data []byte, first int64) {
		if end, err := Claimed(t.Context(), holding{data: data}, bus.TopicID{}, 0, first); err == nil && end <= first {
			t.Fatalf("%s: the range at %d ends at %d", data, first, end)
		}
	})
}

// FuzzCommit reads what may stand under a commit's key: the range that it is asked for, or
// an error.
func FuzzCommit(f *testing.F) {
	f.Add([]byte(`{"first":3,"end":12,"files":[{"key":"lake/x","kind":"clean_text","tenant":"t","rows":9,"bytes":100}]}`), int64(3))
	f.Add([]byte(`{"first":3,"end":3}`), int64(3))
	f.Fuzz(func(t *testing.T, data []byte, first int64) {
		c, ok, err := get(t.Context(), holding{data: data}, commits, bus.TopicID{}, 0, first)
		if err == nil && (!ok || c.First != first || c.End <= first) {
			t.Fatalf("%s: the commit at %d is %+v, %v", data, first, c, ok)
		}
	})
}
