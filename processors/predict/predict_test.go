package predict

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

// TestBothPaths checks that the log and HTTP give one text one answer, whatever form it
// comes in, and that both inferences have one content.
func TestBothPaths(t *testing.T) {
	r := newRig(t)
	r.version("m", "v1", RoleChampion, "hashing one")
	r.start()
	r.await("m", "v1")
	cfg := DefaultConfig()
	api := r.api(cfg)
	for i, in := range []schemas.Text{
		{Text: "an ordinary text"},
		{Text: "  ﬁgures\u200b and\r\n\r\n\r\n\r\nlines\t of   it "},
		{Text: "write to somebody@example.com or call +49 30 1234567, card 4111 1111 1111 1111"},
		{Text: `[a "list" that is none`},
		{Data: []byte("From: a@example.com\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>a <b>bold</b> word"), ContentType: "message/rfc822"},
		{Data: []byte("caf\xe9"), ContentType: "text/plain; charset=iso-8859-1"},
		{Text: ""},
		{Text: strings.Repeat("!?", 100)},
	} {
		var said Answer
		body, err := json.Marshal(map[string]any{"text": in.Text, "data": in.Data, "content_type": in.ContentType, "subject": "s"})
		if err != nil {
			t.Fatal(err)
		}
		if res := post(t, api, string(body), &said); res.Code != http.StatusOK {
			t.Fatalf("text %d: status %d", i, res.Code)
		}
		in.EventID = string(rune('a' + i))
		m := r.clean(in)
		if m == nil {
			if said.Rejected == "" || said.Prediction != "" || said.InferenceID != "" {
				t.Errorf("text %d is refused on the log, over HTTP: %+v", i, said)
			}
			continue
		}
		r.stream(cfg, m)
		all := r.inferences()
		onLog, asked := all[m.EventID], all[said.InferenceID]
		if onLog == nil || asked == nil {
			t.Fatalf("text %d: an inference is missing", i)
		}
		if got := (Answer{InferenceID: said.InferenceID, Prediction: onLog.Prediction, Probability: onLog.Confidence, ModelVersion: onLog.ModelVersion}); got != said {
			t.Errorf("text %d:\non the log %+v\nover HTTP  %+v", i, got, said)
		}
		if asked.Prediction != said.Prediction || asked.Confidence != said.Probability || asked.Subject != "s" || asked.Role != RoleChampion || asked.RequestModel != "m" {
			t.Errorf("text %d: what was said and what was logged differ: %+v, %s", i, said, asked.AppendJSON(nil))
		}
		if v := r.rules.Inference(asked); !v.Clean() || asked.ContentHash != onLog.ContentHash || onLog.ContentHash != m.ContentHash {
			t.Errorf("text %d: cleaned, what was asked has the hash %s, the text has %s (%s)", i, asked.ContentHash, m.ContentHash, v.Rule)
		}
	}
	if said := r.inferences(); len(said) != 12 {
		t.Errorf("%d inferences are on the log, want 12: what is refused is not judged", len(said))
	}
}

// TestChampions checks who answers: nobody before the first champion; then the last one
// named, without a restart; and where that one is not what its digest says, the one
// before.
func TestChampions(t *testing.T) {
	r := newRig(t)
	r.start()
	cfg := DefaultConfig()
	api := r.api(cfg)
	asked := 0
	serves := func(version, label string) {
		t.Helper()
		asked++
		id := string(rune('a' + asked))
		r.stream(cfg, text(id, "the same text"))
		inf := r.inferences()[id]
		if version == "" {
			var problem map[string]string
			res := post(t, api, `{"text":"the same text"}`, &problem)
			if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" || !strings.Contains(problem["error"], "m has no champion yet") {
				t.Errorf("before a champion: %d %v", res.Code, problem)
			}
			if inf != nil {
				t.Errorf("before a champion: %s", inf.AppendJSON(nil))
			}
			return
		}
		var said Answer
		if res := post(t, api, `{"text":"the same text"}`, &said); res.Code != http.StatusOK || said.ModelVersion != version || said.Prediction != label {
			t.Errorf("HTTP: %d %+v, want %s", res.Code, said, version)
		}
		if inf == nil || inf.ModelVersion != version || inf.Prediction != label {
			t.Errorf("the log: %v, want %s", inf, version)
		}
	}
	serves("", "")

	r.version("other", "v7", RoleChampion, "hashing other")
	r.version("m", "v1", "candidate", "hashing one")
	claim := &schemas.ModelVersion{Model: "m", Version: "v0", Stage: RoleChampion}
	claim.Artifact, claim.Digest = r.artefact("hashing nought")
	r.Produce(bustest.Input(bus.ModelEvents, "m", claim.MarshalAppend(nil), kgo.RecordHeader{Key: bus.HeaderKind, Value: []byte(claim.Kind())})) // anybody can write this; only an answer counts
	r.await("other", "v7")
	serves("", "")

	r.version("m", "v1", RoleChampion, "hashing one")
	r.await("m", "v1")
	serves("v1", "one-label")
	r.version("m", "v2", RoleChampion, "hashing two")
	r.await("m", "v2")
	serves("v2", "two-label")

	tampered := &schemas.ModelVersion{Model: "m", Version: "v3", Stage: RoleChampion}
	tampered.Artifact, _ = r.artefact("hashing evil")
	_, tampered.Digest = r.artefact("hashing good")
	r.answer(tampered)
	bustest.Await(t, "v3 is refused", func() bool { return r.failures() == 1 })
	if log := r.logged.String(); !strings.Contains(log, "version=v3") || !strings.Contains(log, tampered.Digest) || !strings.Contains(log, "is not what its digest says") {
		t.Errorf("the log does not say what is wrong with v3: %s", log)
	}
	serves("v2", "two-label")
	r.version("m", "v4", RoleChampion, "of no recipe")
	bustest.Await(t, "v4 is refused", func() bool { return r.failures() == 2 })
	serves("v2", "two-label")

	r.version("m", "v1", RoleChampion, "hashing one") // a rollback
	r.await("m", "v1")
	serves("v1", "one-label")
}

// TestAway checks that a champion that cannot be read serves once the objects are there
// again, and that the one before serves meanwhile; at the start, that nobody is ready
// before it is known who serves.
func TestAway(t *testing.T) {
	r := newRig(t)
	r.start()
	r.version("m", "v1", RoleChampion, "hashing one")
	r.await("m", "v1")
	r.away.Store(true)
	r.version("m", "v2", RoleChampion, "hashing two")
	bustest.Await(t, "v2 was tried twice", func() bool { return r.failures() >= 2 })
	if c := r.models.Champion("m"); c.Version != "v1" {
		t.Errorf("while the objects are away %s serves, want v1", c.Version)
	}
	before := r.models
	r.member()
	r.start()
	bustest.Await(t, "the new member has tried", func() bool { return r.failures() >= 1 })
	select {
	case <-r.models.ready:
		t.Error("the new member is ready, and does not know who serves")
	default:
	}
	r.away.Store(false)
	r.await("m", "v2")
	if err := r.models.WaitReady(t.Context()); err != nil {
		t.Error(err)
	}
	bustest.Await(t, "v2 serves at the first member", func() bool { return before.Champion("m").Version == "v2" })
}

// TestStream checks which texts of the log are judged, under which ids, and that another
// member that reads all of it again, with another champion, adds nothing.
func TestStream(t *testing.T) {
	r := newRig(t)
	r.version("m", "v1", RoleChampion, "hashing one")
	labelled := text("labelled", "to learn from")
	labelled.Label = "spam"
	r.Produce(bustest.Event(bus.CleanText, "refused", &schemas.Rejected{Envelope: schemas.Envelope{EventID: "refused"}, Rule: "empty"}))
	r.start() // the stage waits until the log of the models has been read
	r.stream(DefaultConfig(), text("a", "a text"), labelled, text("b", "a text"))
	want := map[string]string{}
	for _, rec := range r.Read(r.bus, bus.CleanText) {
		want[string(rec.Key)] = InferenceID(rec.Origin, RoleChampion)
	}
	check := func(n int) {
		t.Helper()
		all := r.inferences()
		if len(all) != n {
			t.Errorf("%d inferences, want %d", len(all), n)
		}
		for of, i := range all {
			if i.EventID != want[of] || i.ModelVersion != "v1" {
				t.Errorf("on %s: id %s of %s, want %s of v1", of, i.EventID, i.ModelVersion, want[of])
			}
		}
	}
	check(2)

	r.version("m", "v2", RoleChampion, "hashing two")
	for info, err := range r.Objects.List(t.Context(), "checkpoints/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Objects.Delete(t.Context(), info.Key); err != nil {
			t.Fatal(err)
		}
	}
	r.member()
	r.start()
	r.await("m", "v2")
	r.stream(DefaultConfig())
	check(2)
	ends, err := r.bus.Ends(t.Context(), bus.InferenceLogs)
	if err != nil {
		t.Fatal(err)
	}
	if ends[0]+ends[1] <= 2 {
		t.Error("nothing was written again, so that this proves nothing")
	}

	all := DefaultConfig()
	all.SkipLabelled = false
	other := text("c", "to learn from")
	other.Label = "spam"
	r.stream(all, other)
	if i := r.inferences()["c"]; i == nil || i.ModelVersion != "v2" {
		t.Errorf("with skip_labelled off, the inference on a labelled text is %v", i)
	}
}

// TestRequests checks what is said of requests that cannot be answered, and of several
// texts in one.
func TestRequests(t *testing.T) {
	r := newRig(t)
	r.models.champions.Store("m", &Loaded{Version: "v1", Predictor: hashing("one")})
	cfg := DefaultConfig()
	cfg.MaxTexts, cfg.MaxBytes = 3, 200
	api := r.api(cfg)
	for _, x := range []struct {
		body   string
		status int
		says   string
	}{
		{`{"text":"a" `, http.StatusBadRequest, "not a JSON object"},
		{`["a"]`, http.StatusBadRequest, "not a JSON object"},
		{`{"text":7}`, http.StatusBadRequest, "not a JSON object"},
		{`{"txt":"a"}`, http.StatusBadRequest, "unknown field \"txt\""},
		{`{"text":"a"}{"text":"b"}`, http.StatusBadRequest, "more than one"},
		{`{}`, http.StatusUnprocessableEntity, "1 to 3 are answered"},
		{`{"texts":["a","b","c","d"]}`, http.StatusUnprocessableEntity, "there are 4 texts"},
		{`{"text":` + quoted(strings.Repeat("a", 200)) + `}`, http.StatusRequestEntityTooLarge, "more than 200 bytes"},
	} {
		var problem map[string]string
		if res := post(t, api, x.body, &problem); res.Code != x.status || !strings.Contains(problem["error"], x.says) {
			t.Errorf("%.30s: %d %q, want %d and %q", x.body, res.Code, problem["error"], x.status, x.says)
		}
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/predict", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}

	var several struct{ Answers []Answer }
	post(t, api, `{"texts":["first","","second"]}`, &several)
	if len(several.Answers) != 3 || several.Answers[1].Rejected != "empty" {
		t.Fatalf("three texts, one of them empty: %+v", several.Answers)
	}
	for i, s := range map[int]string{0: "first", 2: "second"} {
		if _, p := hashing("one").Predict(s); several.Answers[i].Probability != p {
			t.Errorf("answer %d is not on %q: %+v", i, s, several.Answers[i])
		}
	}

	refused := func(what string, api *API, status int, says string) {
		t.Helper()
		var problem map[string]string
		if res := post(t, api, `{"text":"a text"}`, &problem); res.Code != status || res.Header().Get("Retry-After") == "" || !strings.Contains(problem["error"], says) {
			t.Errorf("%s: %d %v, want %d and %q; what is not on the log must not be answered", what, res.Code, problem, status, says)
		}
	}
	log := func(context.Context, *schemas.Inference) error { return errors.New("no broker") }
	refused("without a log", r.apiOn(cfg, log, nil), http.StatusServiceUnavailable, "no broker")
	refused("on a full log", r.apiOn(cfg, log, errors.New("the disk is full")), http.StatusServiceUnavailable, "the disk is full")
	api = r.apiOn(cfg, log, nil)
	for range mostRequests {
		api.busy <- struct{}{}
	}
	refused("when many are in work", api, http.StatusTooManyRequests, "64 requests are in work")
}
