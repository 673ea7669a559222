//go:build integration

package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// said is an answer of POST /v1/predict.
type said struct {
	InferenceID  string  `json:"inference_id"`
	Prediction   string  `json:"prediction"`
	Probability  float64 `json:"probability"`
	ModelVersion string  `json:"model_version"`
}

// tryAsk asks the champion about a text; false where there is none yet.
func tryAsk(m *millrace, text string) (said, bool) {
	m.t.Helper()
	status, answer := m.post("/v1/predict", "application/json", encode(map[string]any{"text": text}))
	var s said
	if err := json.Unmarshal([]byte(answer), &s); err != nil || status != 200 && status != 503 {
		m.t.Fatalf("POST /v1/predict: %d %s", status, answer)
	}
	return s, status == 200
}

func ask(m *millrace, text string) said {
	m.t.Helper()
	s, ok := tryAsk(m, text)
	if !ok {
		m.t.Fatal("there is no champion")
	}
	return s
}

// happening is an event of a model as the log has it.
type happening struct {
	offset int64
	schemas.Message
}

// happenings reads model.events, without the claims of clients.
func (l *ledger) happenings() []happening {
	l.m.t.Helper()
	var out []happening
	for _, r := range wholeLog(l.m.t, l.m.Kafka, "model.events") {
		m := schemas.New(schemas.Kind(headerOf(r, "mr-kind")))
		if strings.HasSuffix(headerOf(r, "mr-kind"), "_claim") {
			continue
		}
		if m == nil {
			l.m.t.Fatalf("model.events at offset %d is of kind %q", r.Offset, headerOf(r, "mr-kind"))
		}
		if err := m.Unmarshal(r.Value); err != nil {
			l.m.t.Fatal(err)
		}
		out = append(out, happening{r.Offset, m})
	}
	return out
}

// micros is an event's time as ClickHouse prints it.
func micros(at schemas.Micros) string { return sqlTime(time.UnixMicro(int64(at))) }

// list is an array of strings as ClickHouse prints it.
func list(of []string) string {
	if len(of) == 0 {
		return "[]"
	}
	return "['" + strings.Join(of, "','") + "']"
}

// models compares what is told of the models with the log of their events.
func (l *ledger) models() {
	l.m.t.Helper()
	l.agree("drift_timeline", func() []string {
		var want []string
		for _, h := range l.happenings() {
			at := micros(h.Env().ArrivedAt)
			switch e := h.Message.(type) {
			case *schemas.DriftSignal:
				round := func(f float64) string { return strconv.FormatFloat(math.Round(f*1e4)/1e4, 'g', -1, 64) }
				want = append(want, row(e.Model, at, h.offset, "signal "+e.Signal, e.ModelVersion,
					fmt.Sprintf("%s: %s to %s over %d examples", e.Detector, round(e.Before), round(e.After), e.Examples)))
			case *schemas.DriftTrigger:
				want = append(want, row(e.Model, at, h.offset, "trigger "+e.Reason, e.ParentVersion, e.RunID+" "+e.Detail))
			case *schemas.TrainingRun:
				want = append(want, row(e.Model, at, h.offset, "run "+e.Step, "", e.RunID+" "+e.Error))
			case *schemas.ModelVersion:
				detail := e.Reason
				if detail == "" {
					detail = e.GateDetail
				}
				want = append(want, row(e.Model, at, h.offset, "version "+e.Stage, e.Version, detail))
			case *schemas.ModelCommand:
				want = append(want, row(e.Model, at, h.offset, "command "+e.Command, e.Version, e.Answer))
			}
		}
		return want
	}, "SELECT model, at, offset, what, version, detail FROM drift_timeline"+l.setting())
	l.agree("model_registry", func() []string {
		last, made := map[string]*schemas.ModelVersion{}, map[string]string{}
		for _, h := range l.happenings() {
			if e, ok := h.Message.(*schemas.ModelVersion); ok {
				if last[e.Version] == nil {
					made[e.Version] = micros(e.ArrivedAt)
				}
				last[e.Version] = e
			}
		}
		var want []string
		for v, e := range last {
			want = append(want, row(e.Model, v, e.Stage, e.Reason, micros(e.ArrivedAt), made[v], e.RunID, e.TriggerID, e.ParentVersion, e.Recipe, e.Digest, e.Bytes,
				e.DatasetHash, e.Examples, list(e.Ranges), e.TrainingRulesVersion, list(e.Labels), e.GatePassed, e.Gate["accuracy"], e.GateDetail))
		}
		return want
	}, `SELECT model, version, stage, reason, since, made, run_id, trigger_id, parent_version, recipe, digest, bytes,
dataset_hash, examples, ranges, training_rules_version, labels, gate_passed, gate['accuracy'], gate_detail FROM model_registry`+l.setting())
}

// judgedExample is an example of the log with what the ledger knows of it.
type judgedExample struct {
	offset         int64
	model, version string
	judgement      int64 // how many of the inference's feedbacks have judged it; 0 where this one does not
	right          *bool
}

// drifted checks the story that the stream was made to tell, and that each signal and
// report says of its stretch of the log what the ledger says of it.
func (l *ledger) drifted() {
	t := l.m.t
	t.Helper()
	known := map[string]*bool{}
	_, examples := join(l.books())
	for inf, all := range examples {
		for _, x := range all {
			known[row(inf.tenant, inf.id, x.revision)] = x.right
		}
	}
	var log []judgedExample
	judgements := map[string]int64{}
	for _, r := range wholeLog(t, l.m.Kafka, "training.examples") {
		var e schemas.TrainingExample
		if err := e.Unmarshal(r.Value); err != nil {
			t.Fatal(err)
		}
		x := judgedExample{r.Offset, e.Model, e.ModelVersion, 0, known[row(e.Tenant, e.InferenceID, e.Revision)]}
		if x.right != nil {
			judgements[row(e.Tenant, e.InferenceID)]++
			x.judgement = judgements[row(e.Tenant, e.InferenceID)]
		}
		if e.Judgement != x.judgement {
			t.Errorf("the example at %d is judgement %d of its inference, want %d", r.Offset, e.Judgement, x.judgement)
		}
		log = append(log, x)
	}
	count := func(model, version string, from, to int64) (q quality) {
		for _, x := range log {
			if x.model == model && x.version == version && x.judgement == 1 && x.right != nil && x.offset >= from && x.offset < to {
				q.examples++
				if *x.right {
					q.correct++
				}
			}
		}
		return q
	}
	reported := map[string]int64{} // how far the reports of a version reach
	var what []string
	for _, h := range l.happenings() {
		switch e := h.Message.(type) {
		case *schemas.QualityReport:
			if e.Topic != "training.examples" {
				continue
			}
			q, key := count(e.Model, e.ModelVersion, e.FromOffset, e.ToOffset), row(e.Model, e.ModelVersion)
			if int64(q.examples) != e.Examples || int64(q.correct) != e.Correct || e.FromOffset < reported[key] {
				t.Errorf("a report on %s says %d of %d right from %d to %d; the ledger says %d of %d, and the last report ended at %d",
					key, e.Correct, e.Examples, e.FromOffset, e.ToOffset, q.correct, q.examples, reported[key])
			}
			if before := count(e.Model, e.ModelVersion, reported[key], e.FromOffset); before.examples > 0 {
				t.Errorf("%d examples of %s before %d are in no report", before.examples, key, e.FromOffset)
			}
			reported[key] = e.ToOffset
		case *schemas.DriftSignal:
			q := count(e.Model, e.ModelVersion, e.FromOffset, e.ToOffset)
			if e.Signal == "error_rate" && (int64(q.examples) != e.Examples || math.Abs(1-float64(q.correct)/float64(q.examples)-e.After) > 1e-9) {
				t.Errorf("a signal says that %g of %d were wrong from %d to %d; the ledger says %d of %d were right", e.After, e.Examples, e.FromOffset, e.ToOffset, q.correct, q.examples)
			}
			if e.Model == "default" {
				what = append(what, "signal "+e.ModelVersion)
			}
		case *schemas.DriftTrigger:
			what = append(what, "trigger "+e.Reason)
		case *schemas.ModelVersion:
			what = append(what, e.Stage+" "+e.Version+" "+list(e.Labels))
		}
	}
	told := strings.Join(what, "; ")
	at := 0
	for _, part := range []string{"trigger bootstrap", "candidate v1 ['billing','support']", "champion v1", "signal v1", "trigger drift", "['billing','outage','support']", "champion v"} {
		i := strings.Index(told[at:], part)
		if i < 0 {
			t.Fatalf("the story has no %q where it should be: %s", part, told)
		}
		at += i + len(part)
	}
}

// double stores every row of every table once more, as a sink that lost the answer to an
// insert does.
func (l *ledger) double() {
	l.m.t.Helper()
	tables := strings.Fields(l.m.sql("SELECT name FROM system.tables WHERE database = 'millrace' AND sorting_key LIKE '%%_origin_offset%%'"))
	if len(tables) != 13 {
		l.m.t.Fatalf("there are %d tables: %s", len(tables), tables)
	}
	for _, name := range tables {
		before := l.m.sql("SELECT count() FROM %s", name)
		l.m.admin("SYSTEM STOP MERGES " + name)
		l.m.admin("INSERT INTO " + name + " SELECT * FROM " + name + " FINAL")
		if got := l.m.admin("SELECT count() FROM " + name + " SETTINGS final = 0"); before != "0" && got == before {
			l.m.t.Errorf("%s has %s rows still: nothing was doubled", name, got)
		}
		if got := l.m.sql("SELECT count() FROM %s", name); got != before {
			l.m.t.Errorf("SELECT count() FROM %s answers %s once its rows are there twice, and %s before", name, got, before)
		}
	}
}

// admin runs a statement as Millrace itself does.
func (m *millrace) admin(statement string) string {
	m.t.Helper()
	answer, err := m.tryAdmin(statement)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer
}

func (m *millrace) tryAdmin(statement string) (string, error) {
	text, err := os.ReadFile(filepath.Join(m.data, "secret"))
	if err != nil {
		return "", err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("clickhouse"))
	u := url.URL{Scheme: "http", Host: m.ClickHouse, Path: "/", RawQuery: "database=millrace"}
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, u.String(), strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth("millrace", hex.EncodeToString(h.Sum(nil)[:16]))
	status, answer := answered(m.t, req)
	if status != http.StatusOK {
		return "", fmt.Errorf("%s: %d %s", statement, status, answer)
	}
	return strings.TrimSuffix(answer, "\n"), nil
}
