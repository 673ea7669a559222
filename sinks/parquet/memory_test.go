package parquet

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/sinks"
)

// thrifty keeps no files, and notes the most memory that was in use while one was made.
type thrifty struct {
	objstore.Store
	files int
	most  uint64
}

// CreateFunc implements objstore.Store.
func (s *thrifty) CreateFunc(ctx context.Context, key string, write func(io.Writer) error) error {
	if !strings.HasPrefix(key, "lake/") {
		return s.Store.CreateFunc(ctx, key, write)
	}
	if s.files++; s.files%20 == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.most = max(s.most, m.HeapAlloc)
	}
	return write(io.Discard)
}

// TestManyTenants writes a range of many tenants, which must not cost a writer's memory
// for each: the claim fixes the range, so that every start would meet the same end.
func TestManyTenants(t *testing.T) {
	const tenants, records, bound = 100, 300, 32 << 20
	objects, err := objstore.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := make([]bus.Record, records)
	for i := range in {
		m := &schemas.CleanText{Envelope: schemas.Envelope{Tenant: fmt.Sprintf("tenant-%d", i%tenants)}, Text: "a text"}
		in[i] = bus.Record{Kind: m.Kind(), Offset: int64(i), Value: m.MarshalAppend(nil)}
	}
	store := &thrifty{Store: objects}
	task := &task{store: store, names: sinks.TopicNames{}}
	if err := task.ProcessRange(t.Context(), 0, records, in); err != nil {
		t.Fatal(err)
	}
	if store.files != tenants {
		t.Errorf("%d files were made, want one for each of %d tenants", store.files, tenants)
	}
	if store.most > bound {
		t.Errorf("%d MiB were in use for a range of %d tenants, want at most %d", store.most>>20, tenants, bound>>20)
	}
}
