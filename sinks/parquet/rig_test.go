package parquet

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
)

// folders are tenants and the names that their folders must have: none may leave its
// folder, hide, or be taken for another's.
var folders = map[string]string{
	"acme":       "tenant=acme",
	"ACME-2_b.c": "tenant=ACME-2_b.c",
	"../../etc":  "tenant=%2E.%2F..%2Fetc",
	"a/b=c":      "tenant=a%2Fb%3Dc",
	"a%2Fb=c":    "tenant=a%252Fb%3Dc",
	".hidden":    "tenant=%2Ehidden",
	"naïve café": "tenant=na%C3%AFve%20caf%C3%A9",
	"nul\x00":    "tenant=nul%00",
}

// days are moments about a midnight, and the days on which they are, in UTC.
var days = []struct {
	at  string
	day string
}{
	{"2026-03-01T23:59:59.999999Z", "2026-03-01"},
	{"2026-03-02T00:00:00Z", "2026-03-02"},
	{"1969-12-31T23:59:59.999999Z", "1969-12-31"},
	{"1970-01-01T00:00:00Z", "1970-01-01"},
}

// place is where a record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// fact is what must be known of a record wherever it is kept.
type fact struct {
	kind       schemas.Kind
	tenant, id string
	folder     string
}

// produce puts n events of every kind on the topics that the sink reads, and claims
// among them, and returns what must be in the lake.
func produce(t testing.TB, c *bustest.Cluster, n int) map[place]fact {
	t.Helper()
	tenants := slices.Sorted(maps.Keys(folders))
	topics := map[string][]schemas.Kind{
		bus.CleanText:        {schemas.KindCleanText, schemas.KindRejected, schemas.KindDuplicate, schemas.KindDeadLetter},
		bus.Interactions:     {schemas.KindInference, schemas.KindFeedback, schemas.KindRejected},
		bus.TrainingExamples: {schemas.KindTrainingExample},
		bus.ModelEvents: {schemas.KindDriftSignal, schemas.KindModelVersion, schemas.KindQualityReport, schemas.KindDriftTrigger,
			schemas.KindTrainingRun, schemas.KindModelCommand},
	}
	want := map[place]fact{}
	for topic, kinds := range topics {
		var records []*kgo.Record
		var facts []fact
		for i := range n {
			m := schemas.New(kinds[i/6%len(kinds)])
			when := days[i/12%len(days)]
			at, err := time.Parse(time.RFC3339, when.at)
			if err != nil {
				t.Fatal(err)
			}
			env := m.Env()
			env.Tenant, env.EventID, env.ArrivedAt = tenants[i/6%len(tenants)], fmt.Sprintf("%s-%d", topic, i), schemas.MicrosOf(at)
			switch m := m.(type) {
			case *schemas.CleanText:
				m.Attributes = map[string]string{"one": "1", "two": "2", "three": "3", "four": env.EventID}
			case *schemas.Inference:
				m.RequestModel = "a model"
			case *schemas.Feedback:
				m.InferenceID = "an inference"
			}
			r := bustest.Event(topic, env.EventID, m)
			f := fact{m.Kind(), env.Tenant, env.EventID, fmt.Sprintf("lake/%s/kind=%s/day=%s", folders[env.Tenant], m.Kind(), when.day)}
			if topic == bus.ModelEvents && i%6 == 5 {
				r = bustest.Event(topic, env.EventID, new(schemas.ModelVersion))
				r.Headers[0].Value = []byte(schemas.KindModelVersionClaim)
				f = fact{}
			}
			records, facts = append(records, r), append(facts, f)
		}
		c.Produce(records...)
		for i, r := range records {
			if facts[i].kind != "" {
				want[place{topic, r.Partition, r.Offset}] = facts[i]
			}
		}
	}
	return want
}

// row is what the test reads of a row of any kind.
type row struct {
	Tenant    string `parquet:"tenant"`
	EventID   string `parquet:"event_id"`
	Topic     string `parquet:"_topic"`
	Partition int32  `parquet:"_partition"`
	Offset    int64  `parquet:"_offset"`
}

// checkLake reads all files of the lake, as one does who knows nothing of commits: each
// record must be there once, in its folder, and each file must be in one commit.
func checkLake(t testing.TB, b *bus.Bus, s objstore.Store, want map[place]fact) {
	t.Helper()
	got := map[place]fact{}
	files := map[string]int64{}
	for info, err := range s.List(t.Context(), "lake/") {
		if err != nil {
			t.Fatal(err)
		}
		rows := readFile(t, s, info.Key)
		files[info.Key] = int64(len(rows))
		kind, _, _ := strings.Cut(strings.SplitN(info.Key, "/kind=", 2)[1], "/")
		for _, r := range rows {
			at := place{r.Topic, r.Partition, r.Offset}
			if _, twice := got[at]; twice {
				t.Errorf("%v is in the lake twice, the second time in %s", at, info.Key)
			}
			got[at] = fact{schemas.Kind(kind), r.Tenant, r.EventID, path.Dir(info.Key)}
		}
	}
	for at, f := range want {
		if got[at] != f {
			t.Errorf("%v: the lake has %+v, want %+v", at, got[at], f)
		}
	}
	for at, f := range got {
		if _, ok := want[at]; !ok {
			t.Errorf("%v: the lake has %+v, which was never on the log", at, f)
		}
	}
	for _, name := range []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.ModelEvents} {
		topic, err := b.Topic(name)
		if err != nil {
			t.Fatal(err)
		}
		ends, err := b.Ends(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for n, end := range ends {
			covered, err := lake.Covered(t.Context(), s, topic.ID, n)
			if err != nil || covered != end {
				t.Errorf("%s/%d: the commits cover %d offsets of %d: %v", name, n, covered, end, err)
			}
			for commit, err := range lake.Commits(t.Context(), s, topic.ID, n) {
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range commit.Files {
					if rows, ok := files[f.Key]; !ok || rows != f.Rows {
						t.Errorf("%s has %d rows, its commit says %d", f.Key, rows, f.Rows)
					}
					delete(files, f.Key)
				}
			}
		}
	}
	for key := range files {
		t.Errorf("%s is in no commit", key)
	}
}

func readFile(t testing.TB, s objstore.Store, key string) []row {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	f, err := parquetgo.OpenFile(o, o.Size())
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	r := parquetgo.NewGenericReader[row](f)
	defer r.Close()
	rows := make([]row, f.NumRows())
	if n, err := r.Read(rows); n != len(rows) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%s: %d rows of %d: %v", key, n, len(rows), err)
	}
	return rows
}

// newStage is the sink with ranges of at most some records.
func newStage(t testing.TB, s objstore.Store, records int) bus.Stage {
	t.Helper()
	stage, err := Stage(Config{MaxRecords: records, MaxBytes: 1 << 20, MaxAge: 20 * time.Millisecond}, s, "", bustest.Log())
	if err != nil {
		t.Fatal(err)
	}
	return stage
}
