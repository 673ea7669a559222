package predict

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// hashing is a model whose answer is a function of every byte of the text, so that two
// paths that give it other texts give other answers.
type hashing string

func (h hashing) Predict(text string) (string, float64) {
	f := fnv.New64a()
	_, _ = io.WriteString(f, string(h)+text) // never fails
	return string(h) + "-label", float64(f.Sum64()>>11) / (1 << 53)
}

// load reads an artefact: "hashing " and a name.
func load(data []byte) (Predictor, error) {
	name, ok := strings.CutPrefix(string(data), "hashing ")
	if !ok {
		return nil, errors.New("it has no head")
	}
	return hashing(name), nil
}

// rig is predict in one process, with somebody who answers claims as the registry does.
type rig struct {
	*bustest.Cluster
	t       *testing.T
	bus     *bus.Bus
	models  *Models
	rules   *rules.Rules
	metrics *prometheus.Registry
	logged  logged
	away    atomic.Bool // the objects cannot be read
	now     time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Cluster: bustest.New(t), t: t, now: time.Now()}
	var err error
	if r.rules, err = rules.New(rules.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	r.member()
	return r
}

// member goes on as another process that has nothing of its own.
func (r *rig) member() {
	r.t.Helper()
	r.bus = r.Member(vfs.NewMem())
	r.metrics = prometheus.NewRegistry()
	var err error
	if r.models, err = NewModels(r.bus, away{r.Objects, &r.away}, load, slog.New(slog.NewTextHandler(&r.logged, nil)), r.metrics); err != nil {
		r.t.Fatal(err)
	}
}

// away is an object store that cannot be read while it is away.
type away struct {
	objstore.Store
	away *atomic.Bool
}

func (a away) Open(ctx context.Context, key string) (objstore.Object, error) {
	if a.away.Load() {
		return nil, errors.New("the objects are away")
	}
	return a.Store.Open(ctx, key)
}

func (a away) Get(ctx context.Context, key string) ([]byte, error) {
	if a.away.Load() {
		return nil, errors.New("the objects are away")
	}
	return a.Store.Get(ctx, key)
}

func (r *rig) start() { r.Start("models", r.models.Run) }

// logged is what was logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// artefact keeps one and returns its event's fields.
func (r *rig) artefact(content string) (key, digest string) {
	r.t.Helper()
	digest = objstore.Digest([]byte(content))
	key = "models/" + digest
	if err := r.Objects.Create(r.t.Context(), key, []byte(content)); err != nil && !errors.Is(err, objstore.ErrExists) {
		r.t.Fatal(err)
	}
	return key, digest
}

// version makes a claim of a version and lets it be answered.
func (r *rig) version(model, version, stage, content string) *schemas.ModelVersion {
	v := &schemas.ModelVersion{Model: model, Version: version, Stage: stage}
	v.Artifact, v.Digest = r.artefact(content)
	r.answer(v)
	return v
}

// answer has a stage write v to model.events, as nobody else can.
func (r *rig) answer(v *schemas.ModelVersion) {
	r.t.Helper()
	r.Produce(bustest.Input(bus.ModelEvents, v.Model, v.MarshalAppend(nil),
		kgo.RecordHeader{Key: bus.HeaderKind, Value: []byte(schemas.KindModelVersionClaim)}))
	r.MustDrain(r.bus, bus.Stage{
		Name: "registry", Inputs: []string{bus.ModelEvents}, Limits: bus.DefaultLimits(),
		Open: func(context.Context, bus.Partition, *state.Partition) (bus.Task, error) { return answering{}, nil },
	})
}

type answering struct{}

func (answering) Process(_ context.Context, in []bus.Record, out *bus.Output) error {
	for i := range in {
		if in[i].Kind == schemas.KindModelVersionClaim {
			out.EmitRaw(&in[i], bus.ModelEvents, in[i].Partition.Partition, in[i].Key, schemas.KindModelVersion, in[i].Value)
		}
	}
	return nil
}

// await waits until a version serves.
func (r *rig) await(model, version string) {
	r.t.Helper()
	bustest.Await(r.t, version+" serves", func() bool {
		c := r.models.Champion(model)
		return c != nil && c.Version == version
	})
}

// failures is the metric of champions that could not be loaded.
func (r *rig) failures() float64 {
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "millrace_predict_load_failures_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	r.t.Fatal("there is no metric of failures")
	return 0
}

// api is POST /v1/predict, whose inferences go to the log.
func (r *rig) api(cfg Config) *API {
	r.t.Helper()
	return r.apiOn(cfg, func(ctx context.Context, i *schemas.Inference) error {
		_, err := r.bus.Publish(ctx, bus.InferenceLogs, []byte(i.EventID), "", i)
		return err
	}, nil)
}

// apiOn is the API on another log, or one that has no room.
func (r *rig) apiOn(cfg Config, log func(context.Context, *schemas.Inference) error, full error) *API {
	r.t.Helper()
	api, err := NewAPI(cfg, APIDeps{Models: r.models, Rules: r.rules, Model: "m", Tenant: "house", Clock: func() time.Time { return r.now },
		Log: log, Room: func() error { return full }})
	if err != nil {
		r.t.Fatal(err)
	}
	return api
}

// post asks and decodes the answer into.
func post(t *testing.T, h http.Handler, body string, into any) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/predict", strings.NewReader(body)))
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%s: %v: %s", body, err, w.Body)
	}
	return w
}

// clean is what clean makes of a text; nil where it is refused.
func (r *rig) clean(in schemas.Text) *schemas.CleanText {
	out := new(schemas.CleanText)
	out.ArrivedAt = schemas.MicrosOf(r.now)
	in.Tenant = "house"
	if !r.rules.Text(&in, out).Clean() {
		return nil
	}
	return out
}

// stream has texts judged on the log.
func (r *rig) stream(cfg Config, texts ...*schemas.CleanText) {
	r.t.Helper()
	for _, m := range texts {
		r.Produce(bustest.Event(bus.CleanText, m.EventID, m))
	}
	s, err := Stage(cfg, r.models, "m")
	if err != nil {
		r.t.Fatal(err)
	}
	r.MustDrain(r.bus, s)
}

// inferences are those on the log, by the text that they are of, or by their own id.
func (r *rig) inferences() map[string]*schemas.Inference {
	r.t.Helper()
	out := map[string]*schemas.Inference{}
	for _, rec := range r.Read(r.bus, bus.InferenceLogs) {
		i := new(schemas.Inference)
		if err := i.Unmarshal(rec.Value); err != nil {
			r.t.Fatal(err)
		}
		if string(rec.Key) != i.EventID || rec.Partition.Partition != bus.PartitionOf(rec.Key, 2) {
			r.t.Errorf("the inference %s lies under the key %q on partition %d", i.EventID, rec.Key, rec.Partition.Partition)
		}
		of := i.TextID
		if of == "" {
			of = i.EventID
		}
		if out[of] != nil {
			r.t.Errorf("there are two inferences on %s", of)
		}
		out[of] = i
	}
	return out
}

func text(id, s string) *schemas.CleanText {
	m := &schemas.CleanText{Text: s}
	m.Tenant, m.EventID = "house", id
	return m
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }
