package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
)

// Report is what the demo says at its end, as --report writes it.
type Report struct {
	EventsIn       int      `json:"events_in"`
	Texts          int      `json:"texts"`
	Feedback       int      `json:"feedback"`
	Outcomes       Outcomes `json:"outcomes"`
	ClickHouseRows int64    `json:"clickhouse_rows"`
	ParquetRows    int64    `json:"parquet_rows"`
	Lost           int64    `json:"lost"`
	Duplicated     int64    `json:"duplicated"`
	Accuracy       Accuracy `json:"accuracy"`
	// AtOnce is the accuracy, on the mails of Recovered, of the same classifier trained
	// at once on the labels that had been given when they began; experiments only.
	AtOnce *float64 `json:"at_once,omitempty"`
	// Feedbacks on mails from after the change that the first trigger had seen; -1 where
	// there was no trigger.
	FeedbacksToFirstTrigger int64 `json:"feedbacks_to_first_trigger"`
	// FalseTriggers are those that answered a drift before there was one. The first model,
	// and a run since there are many more labelled texts than it had, answer none.
	FalseTriggers int       `json:"false_triggers"`
	Triggers      int       `json:"triggers"`
	Versions      []Version `json:"versions"`
	// Seconds from the first event to the end of the loop, and those of them in which the
	// replay waited for it: until every stage had read what was sent, or a model was made.
	Seconds     float64           `json:"seconds"`
	HeldSeconds float64           `json:"held_seconds"`
	Pace        float64           `json:"pace"`
	Queries     map[string]string `json:"queries"`
}

// Outcomes of the events that were posted.
type Outcomes struct {
	Clean     int64            `json:"clean"`
	Rejected  map[string]int64 `json:"rejected"`
	Duplicate int64            `json:"duplicate"`
	Dead      int64            `json:"dead"`
}

// Accuracy of the champion's inferences, by the reader's own labels.
type Accuracy struct {
	Before    float64 `json:"before"`
	After     float64 `json:"after"`
	Recovered float64 `json:"recovered"`
}

// Version of the model, at its last stage.
type Version struct {
	Version   string             `json:"version"`
	Stage     string             `json:"stage"`
	Trigger   string             `json:"trigger"`
	TrainedOn TrainedOn          `json:"trained_on"`
	Gate      map[string]float64 `json:"gate"`
	Passed    bool               `json:"gate_passed"`
	Detail    string             `json:"gate_detail,omitempty"`
	Accuracy  float64            `json:"accuracy"`
	Judged    int64              `json:"judged"`
}

// TrainedOn is what a version was trained on.
type TrainedOn struct {
	Examples int64    `json:"examples"`
	Ranges   []string `json:"ranges"`
}

// WriteFile writes the report as one JSON object.
func (r *Report) WriteFile(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("demo: render the report: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("demo: write the report: %w", err)
	}
	return nil
}

// periods are where the replay's stretches begin, by the mails' own time.
type periods struct {
	change, last time.Time
}

// stretches finds the change (the first feed) and where the last third behind it begins.
func stretches(mails []message) periods {
	first := len(mails)
	for i := range mails {
		if mails[i].label == labelFeed {
			first = i
			break
		}
	}
	if first == len(mails) {
		return periods{}
	}
	return periods{change: mails[first].at, last: mails[first+(len(mails)-first)*2/3].at}
}

const sqlTime = "2006-01-02 15:04:05"

// queries are the SQL of each figure, for whoever wants to have it again.
func (p periods) queries() map[string]string {
	change, last := p.change.Format(sqlTime), p.last.Format(sqlTime)
	accuracy := func(where string) string {
		return "SELECT avg(prediction = label) FROM training_examples WHERE model_version != '' AND " + where
	}
	rows := "SELECT toInt64(sum(n)) FROM ("
	for i, table := range tables() {
		if i > 0 {
			rows += " UNION ALL "
		}
		rows += "SELECT count() AS n FROM " + table
	}
	const received = "SELECT sum(clean + rejected + duplicate + dead) FROM ledger WHERE topic = "
	// What of training.examples a trigger asks to learn from, and where the change begins there.
	const reach = "toInt64(splitByChar('-', arrayFirst(r -> startsWith(r, 'training.examples/'), ranges))[2])"
	first := "(SELECT min(_offset) FROM training_examples WHERE event_time >= '" + change + "')"
	return map[string]string{
		"events_in":                  "SELECT sum(clean + rejected + duplicate + dead) FROM ledger WHERE topic IN ('raw.text', 'user.feedback')",
		"outcomes":                   "SELECT topic, sum(clean), sum(rejected), sum(duplicate), sum(dead) FROM ledger WHERE topic IN ('raw.text', 'user.feedback') GROUP BY topic",
		"rejected_by_rule":           "SELECT rule, count() FROM rejected WHERE topic IN ('raw.text', 'user.feedback') GROUP BY rule",
		"clickhouse_rows":            rows + ")",
		"parquet_rows":               "duckdb: SELECT count(*) FROM read_parquet('DATA/objects/lake/**/*.parquet', union_by_name = true)",
		"lost, duplicated":           "millrace verify --data DATA",
		"accuracy.before":            accuracy("event_time < '" + change + "'"),
		"accuracy.after":             accuracy("event_time >= '" + change + "' AND model_version = (SELECT argMin(model_version, _offset) FROM training_examples WHERE event_time >= '" + change + "')"),
		"accuracy.recovered":         accuracy("event_time >= '" + last + "'"),
		"texts":                      received + "'raw.text'",
		"feedback":                   received + "'user.feedback'",
		"triggers":                   "SELECT count() FROM drift_triggers",
		"false_triggers":             "SELECT count() FROM drift_triggers WHERE reason = 'drift' AND " + reach + " <= " + first,
		"feedbacks_to_first_trigger": "SELECT count() FROM training_examples WHERE event_time >= '" + change + "' AND _offset < (SELECT min(" + reach + ") FROM drift_triggers WHERE reason = 'drift' AND " + reach + " > " + first + ")",
		"versions":                   versionsQuery,
	}
}

// tables are those of every kind that is stored.
func tables() []string {
	var out []string
	for _, k := range schemas.Kinds() {
		if k != schemas.KindText {
			out = append(out, string(k))
		}
	}
	return out
}

// fill asks ClickHouse for what the report says.
func (r *Report) fill(ctx context.Context, conn driver.Conn, mails []message, p periods) error {
	r.Queries = p.queries()
	if err := r.outcomes(ctx, conn); err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, r.Queries["clickhouse_rows"]).Scan(&r.ClickHouseRows); err != nil {
		return fmt.Errorf("demo: count rows: %w", err)
	}
	if err := r.accuracies(ctx, conn, mails, p); err != nil {
		return err
	}
	if err := r.triggers(ctx, conn, p); err != nil {
		return err
	}
	return r.versions(ctx, conn)
}

func (r *Report) outcomes(ctx context.Context, conn driver.Conn) error {
	const q = "SELECT sum(clean), sum(duplicate), sum(dead) FROM ledger WHERE topic IN ('raw.text', 'user.feedback')"
	var clean, duplicate, dead uint64
	if err := conn.QueryRow(ctx, q).Scan(&clean, &duplicate, &dead); err != nil {
		return fmt.Errorf("demo: ask for outcomes: %w", err)
	}
	r.Outcomes = Outcomes{Clean: int64(clean), Duplicate: int64(duplicate), Dead: int64(dead), Rejected: map[string]int64{}}
	rows, err := conn.Query(ctx, r.Queries["rejected_by_rule"])
	if err != nil {
		return fmt.Errorf("demo: ask for rejections: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var rule string
		var n uint64
		if err := rows.Scan(&rule, &n); err != nil {
			return fmt.Errorf("demo: ask for rejections: %w", err)
		}
		r.Outcomes.Rejected[rule] = int64(n)
	}
	return rows.Err()
}

// share counts right answers.
type share struct{ right, all int }

func (s *share) add(right bool) {
	s.all++
	if right {
		s.right++
	}
}

func (s share) value() float64 {
	if s.all == 0 {
		return 0
	}
	return float64(s.right) / float64(s.all)
}

// accuracies judges every inference by the mail's own label, whether or not the reader
// gave it, and gave it right.
func (r *Report) accuracies(ctx context.Context, conn driver.Conn, mails []message, p periods) error {
	truth := make(map[string]*message, len(mails))
	for i := range mails {
		truth[eventID(&mails[i])] = &mails[i]
	}
	rows, err := conn.Query(ctx, "SELECT text_id, prediction, model_version FROM inferences WHERE text_id != '' ORDER BY event_time, event_id")
	if err != nil {
		return fmt.Errorf("demo: ask for inferences: %w", err)
	}
	defer rows.Close()
	var before, after, recovered share
	var stale string // the version that met the change
	for rows.Next() {
		var id, prediction, version string
		if err := rows.Scan(&id, &prediction, &version); err != nil {
			return fmt.Errorf("demo: ask for inferences: %w", err)
		}
		m := truth[id]
		if m == nil {
			continue // not one of the demo's texts
		}
		right := prediction == m.label
		switch {
		case m.at.Before(p.change):
			before.add(right)
			continue
		case stale == "":
			stale = version
		}
		if version == stale {
			after.add(right)
		}
		if !m.at.Before(p.last) {
			recovered.add(right)
		}
	}
	r.Accuracy = Accuracy{before.value(), after.value(), recovered.value()}
	return rows.Err()
}

func (r *Report) triggers(ctx context.Context, conn driver.Conn, p periods) error {
	var first uint64 // the first example from after the change
	q := fmt.Sprintf("SELECT min(_offset) FROM training_examples WHERE event_time >= '%s'", p.change.Format(sqlTime))
	var offset int64
	if err := conn.QueryRow(ctx, q).Scan(&offset); err != nil {
		return fmt.Errorf("demo: ask for the change: %w", err)
	}
	first = uint64(offset)
	rows, err := conn.Query(ctx, "SELECT reason, ranges FROM drift_triggers ORDER BY _offset")
	if err != nil {
		return fmt.Errorf("demo: ask for triggers: %w", err)
	}
	defer rows.Close()
	r.FeedbacksToFirstTrigger = -1
	var seen uint64
	drifted := false
	for rows.Next() {
		var reason string
		var ranges []string
		if err := rows.Scan(&reason, &ranges); err != nil {
			return fmt.Errorf("demo: ask for triggers: %w", err)
		}
		r.Triggers++
		end := examplesEnd(ranges)
		answers := reason == trainers.ReasonDrift || drifted // a drift, or what has grown since one
		drifted = answers
		switch {
		case !answers:
		case end <= first:
			r.FalseTriggers++
		case r.FeedbacksToFirstTrigger < 0:
			seen = end
			r.FeedbacksToFirstTrigger = 0
		}
	}
	if err := rows.Err(); err != nil || r.FeedbacksToFirstTrigger < 0 {
		return err
	}
	q = fmt.Sprintf("SELECT toInt64(count()) FROM training_examples WHERE event_time >= '%s' AND _offset < %d", p.change.Format(sqlTime), seen)
	if err := conn.QueryRow(ctx, q).Scan(&r.FeedbacksToFirstTrigger); err != nil {
		return fmt.Errorf("demo: count feedbacks: %w", err)
	}
	return nil
}

// examplesEnd is the end of the stretch of training.examples among a trigger's ranges.
func examplesEnd(ranges []string) uint64 {
	var end uint64
	for _, s := range ranges {
		var partition, from, to uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(s, "training.examples/"), "%d:%d-%d", &partition, &from, &to); err == nil && strings.HasPrefix(s, "training.examples/") {
			end = max(end, to)
		}
	}
	return end
}

// versionsQuery asks for the versions with their triggers, gates and answers that were judged.
const versionsQuery = `SELECT version, argMax(stage, _offset), any(t.reason), argMax(examples, _offset), argMax(ranges, _offset),
  argMax(gate, _offset), argMax(gate_passed, _offset), argMax(gate_detail, _offset), any(q.accuracy), any(q.judged)
FROM model_versions AS v
LEFT JOIN (SELECT event_id AS trigger, reason FROM drift_triggers) AS t ON t.trigger = v.trigger_id
LEFT JOIN (SELECT model_version, avg(prediction = label) AS accuracy, toInt64(count()) AS judged FROM training_examples GROUP BY model_version) AS q ON q.model_version = v.version
GROUP BY version ORDER BY toUInt32OrZero(substring(version, 2))`

func (r *Report) versions(ctx context.Context, conn driver.Conn) error {
	rows, err := conn.Query(ctx, versionsQuery)
	if err != nil {
		return fmt.Errorf("demo: ask for versions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var v Version
		if err := rows.Scan(&v.Version, &v.Stage, &v.Trigger, &v.TrainedOn.Examples, &v.TrainedOn.Ranges, &v.Gate, &v.Passed, &v.Detail, &v.Accuracy, &v.Judged); err != nil {
			return fmt.Errorf("demo: ask for versions: %w", err)
		}
		r.Versions = append(r.Versions, v)
	}
	return rows.Err()
}

// account takes over what verify found.
func (r *Report) account(v *verify.Report) {
	r.Lost, r.Duplicated = v.Lost, v.Doubled
	for _, l := range v.Lines {
		r.ParquetRows += l.Stored["parquet"]
	}
}
