//go:build integration

package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

// ledgerConfig makes rules of every length apply to short texts, and leaves it to a drift
// to ask for the second version: growth alone would need more than is judged before it.
const ledgerConfig = `
rules:
  min_characters: 3
  max_characters: 1500
policy:
  growth_from: 200
`

// replaced says whether another version than the first serves.
const replaced = "SELECT count() FROM model_registry WHERE stage = 'champion' AND version != 'v1'"

// configured writes a configuration file and returns the flags that name it.
func configured(t testing.TB, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", path}
}

// TestLedger sends a stream of every sort of event, in any order, lets the world drift
// until a second version serves, and keeps a ledger of its own. Every view and table must
// then say what the ledger says, row by row; also when every row is stored twice.
func TestLedger(t *testing.T) {
	t.Parallel()
	seed := uint64(1)
	if s := os.Getenv("LEDGER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("LEDGER_SEED=%d", seed)
	a := &author{rng: rand.New(rand.NewPCG(seed, 1))}
	m := up(t, t.TempDir(), configured(t, ledgerConfig)...)
	l := newLedger(m)

	late := l.longAgo(a)
	l.send(a, a.mix(l.everySort(a, 20)...)...)
	for range 140 {
		l.send(a, a.labelled("billing"), a.labelled("support"))
	}
	l.awaitChampion("", "billing")
	if got := m.sql("SELECT count() FROM inferences WHERE role = 'champion' AND text_id != ''"); got != "0" {
		t.Fatalf("the champion answered for %s texts of which the source knows the answer", got)
	}
	l.send(a, late...)
	for range 3 {
		l.judge(a, l.traffic(a, 20, "billing", "support"))
	}
	l.send(a, a.mix(l.everySort(a, 10)...)...)
	// The world drifts: a class of texts that v1 does not know.
	for batch := 1; batch <= 5 || batch <= 15 && l.m.sql(replaced) == "0"; batch++ {
		l.judge(a, l.traffic(a, 24, "billing", "support", "outage", "outage"))
		l.settled()
	}
	l.awaitChampion("v1", "outage")
	l.judge(a, l.traffic(a, 20, "billing", "support", "outage", "outage"))
	l.predicted(a)

	if out := m.verify(); !contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify says %s", out)
	}
	l.settled()
	l.everyView()
	l.drifted()
	l.double()
	l.everyView()
	l.unmerged = true
	l.everyView()
	m.stop()
}

// everySort are stories of every sort of event.
func (l *ledger) everySort(a *author, n int) [][]*entry {
	stories := [][]*entry{a.refused(), a.dead(), a.neighbours(), a.orphan(), a.repetitions()}
	stories = append(stories, a.astray()...)
	for range n {
		stories = append(stories, a.conversation())
	}
	return stories
}

// longAgo sends what arrived long before everything else: inferences whose feedback comes
// weeks later, and feedback hours before its inference. It returns what comes later. It
// is joined where less than the join's 30 days lie between. The oldest come first, since
// arrivals never go back.
func (l *ledger) longAgo(a *author) []*entry {
	const each = 4 // ids enough to reach every partition
	var late []*entry
	now := time.Now()
	for _, days := range []int{40, 20} {
		for range each {
			id := a.id("call")
			old := a.inference(id)
			old.path, old.direct, old.key, old.when = "", true, id, now.AddDate(0, 0, -days)
			l.send(a, old)
			late = append(late, a.feedback(id, days < 30), a.feedback(id, days < 30))
		}
	}
	for i := range each {
		id := a.id("call")
		f := a.feedback(id, true)
		f.path, f.direct, f.key, f.when = "", true, id, now.Add(time.Duration(i-each-1)*time.Hour)
		l.send(a, f)
		late = append(late, a.inference(id))
	}
	return late
}

// traffic sends texts without labels and waits for what the champion says of them.
func (l *ledger) traffic(a *author, n int, classes ...string) map[*entry]string {
	l.m.t.Helper()
	texts := map[*entry]string{}
	var batch []*entry
	for i := range n {
		e := a.traffic(classes[i%len(classes)])
		texts[e] = classes[i%len(classes)]
		batch = append(batch, e)
	}
	l.send(a, batch...)
	return texts
}

// judge gives every text's inference its right label, now and then behind a thoughtless
// one.
func (l *ledger) judge(a *author, texts map[*entry]string) {
	l.m.t.Helper()
	var answers map[string]*schemas.Inference
	eventually(l.m.t, "the champion answers for all texts", func() bool {
		answers = l.answers()
		for e := range texts {
			if answers[e.id] == nil {
				return false
			}
		}
		return true
	})
	for _, e := range l.entries { // in their order, which a map has not
		class, ours := texts[e]
		if !ours {
			continue
		}
		id := answers[e.id].EventID
		if a.rng.IntN(8) == 0 {
			l.send(a, a.feedback(id, true))
		}
		f := posted("/v1/feedback", "feedback", "", a.id("judged"), map[string]any{"inference_id": id, "label": class, "subject": "ada"})
		f.judged = &judgement{inference: id, label: class, subject: "ada", joined: true}
		l.send(a, f)
		if a.rng.IntN(8) == 0 {
			l.send(a, a.again(f))
		}
	}
}

// predicted asks for answers over HTTP and judges them.
func (l *ledger) predicted(a *author) {
	l.m.t.Helper()
	for range 4 {
		answer := ask(l.m, a.words("outage"))
		l.entries = append(l.entries, answeredEntry(answer))
		l.send(a, a.feedback(answer.InferenceID, true))
	}
}

// awaitChampion waits until another version than before serves, and answers what is
// asked about a class right.
func (l *ledger) awaitChampion(before, class string) {
	l.m.t.Helper()
	l.m.await("1", "SELECT count() FROM model_registry WHERE model = 'default' AND stage = 'champion' AND version != '"+before+"'")
	a := &author{rng: rand.New(rand.NewPCG(7, 7)), n: 1_000_000}
	eventually(l.m.t, "a version that knows "+class+" answers", func() bool {
		got, ok := tryAsk(l.m, a.words(class))
		if ok {
			l.entries = append(l.entries, answeredEntry(got))
		}
		return ok && got.ModelVersion != before && got.Prediction == class
	})
}

// answeredEntry is the inference that an answer of POST /v1/predict must have left.
func answeredEntry(s said) *entry {
	return &entry{topic: "inference.logs", path: "/v1/inferences", tenant: "default", id: s.InferenceID, table: "inferences",
		call: &call{model: "default", version: s.ModelVersion, role: "champion", prediction: s.Prediction}}
}

// settled waits until no training run is in flight, so that the log stands still.
func (l *ledger) settled() {
	l.m.t.Helper()
	l.m.await("0", `SELECT count() FROM drift_triggers WHERE run_id NOT IN (SELECT run_id FROM training_runs WHERE step IN ('finished', 'failed'))`)
	l.m.await("0", `SELECT count() FROM model_registry WHERE stage = 'candidate'`)
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(lookEach) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// repetitions are texts that come again, and other texts under their ids.
func (a *author) repetitions() []*entry {
	first, second := a.labelled("billing"), a.labelled("support")
	return []*entry{first, a.again(first), second, a.other(first), a.again(first), a.other(second), a.again(second)}
}

// rowsOf renders books.
func rowsOf(books []*booked, each func(*booked) string) []string {
	var out []string
	for _, b := range books {
		if r := each(b); r != "" {
			out = append(out, r)
		}
	}
	return out
}

// everyView compares the tables and views with the ledger.
func (l *ledger) everyView() {
	l.m.t.Helper()
	books := l.books()
	l.verdicts(books)
	l.contents(books)
	l.joins(books)
	l.models()
}

// verdicts compares what became of each input record, and the counts of all tables: a
// plain count() has to be right.
func (l *ledger) verdicts(books []*booked) {
	l.m.t.Helper()
	at := map[*entry]site{}
	for _, b := range books {
		at[b.entry] = b.place
	}
	counts := map[string]int{}
	want := rowsOf(books, func(b *booked) string {
		counts[b.table]++
		why, id := b.why, b.id
		if b.first != nil && b.table == "duplicates" {
			why = fmt.Sprintf("%s of %d:%d", why, at[b.first].partition, at[b.first].offset)
		}
		if id == "" { // it cannot be read
			id = "?"
		}
		return row(b.table, b.topic, b.place.partition, b.place.offset, b.tenant, id, why, sqlTime(b.arrived))
	})
	const columns = "_origin_partition, _origin_offset, tenant, event_id"
	l.agree("the verdicts", func() []string { return want }, `
SELECT 'clean_text', 'raw.text', `+columns+`, '', arrived_at FROM clean_text
UNION ALL SELECT 'inferences', 'inference.logs', `+columns+`, '', arrived_at FROM inferences
UNION ALL SELECT 'feedback', 'user.feedback', `+columns+`, '', arrived_at FROM feedback
UNION ALL SELECT 'rejected', topic, `+columns+`, rule, arrived_at FROM rejected
UNION ALL SELECT 'duplicates', topic, `+columns+`, if(reason = 'repeated', concat(reason, ' of ', toString(first_partition), ':', toString(first_offset)), reason), arrived_at FROM duplicates
UNION ALL SELECT 'dead_letters', topic, _origin_partition, _origin_offset, tenant, if(reason = 'id_conflict', event_id, '?'), reason, arrived_at FROM dead_letters`)
	_, examples := join(books)
	for _, x := range examples {
		counts["training_examples"] += len(x)
	}
	for table, n := range counts {
		if got := l.m.sql("SELECT count() FROM %s", table); got != fmt.Sprint(n) {
			l.m.t.Errorf("SELECT count() FROM %s answers %s, the ledger has %d", table, got, n)
		}
	}
	type line struct{ clean, rejected, duplicate, dead, all, first, last int64 }
	lines, rules := map[site]*line{}, map[string][]*booked{}
	for _, b := range books {
		k := site{b.topic, b.place.partition, 0}
		if lines[k] == nil {
			lines[k] = &line{first: b.place.offset}
		}
		s := lines[k]
		s.all++
		s.last = b.place.offset
		switch b.table {
		case "rejected":
			s.rejected++
			rule := row(b.tenant, b.topic, b.why)
			rules[rule] = append(rules[rule], b)
		case "duplicates":
			s.duplicate++
		case "dead_letters":
			s.dead++
		default:
			s.clean++
		}
	}
	var ledgerRows, ruleRows []string
	for k, s := range lines {
		ledgerRows = append(ledgerRows, row(k.topic, k.partition, s.clean, s.rejected, s.duplicate, s.dead, s.all, s.first, s.last))
	}
	for rule, all := range rules {
		first, last := all[0].arrived, all[0].arrived
		for _, b := range all {
			if b.arrived.Before(first) {
				first = b.arrived
			}
			if b.arrived.After(last) {
				last = b.arrived
			}
		}
		ruleRows = append(ruleRows, row(rule, len(all), sqlTime(first), sqlTime(last)))
	}
	l.agree("ledger", func() []string { return ledgerRows }, "SELECT topic, partition, clean, rejected, duplicate, dead, verdicts, first_offset, last_offset FROM ledger"+l.setting())
	l.agree("rejections_by_rule", func() []string { return ruleRows }, "SELECT tenant, topic, rule, events, first, last FROM rejections_by_rule"+l.setting())
}

// contents compares what is kept of clean events.
func (l *ledger) contents(books []*booked) {
	l.m.t.Helper()
	texts := rowsOf(books, func(b *booked) string {
		if b.table != "clean_text" {
			return ""
		}
		return row(b.id, b.text.text, b.text.label, len([]rune(b.text.text)))
	})
	l.agree("clean_text", func() []string { return texts }, "SELECT event_id, text, label, characters FROM clean_text")
	calls := rowsOf(books, func(b *booked) string {
		if b.table != "inferences" {
			return ""
		}
		return row(b.tenant, b.id, b.call.model, b.call.version, b.call.role, b.call.textID, b.call.prediction)
	})
	l.agree("inferences", func() []string { return calls }, "SELECT tenant, event_id, request_model, model_version, role, text_id, prediction FROM inferences")
	judged := rowsOf(books, func(b *booked) string {
		if b.table != "feedback" {
			return ""
		}
		rating := `\N`
		if b.judged.rating != nil {
			rating = fmt.Sprint(*b.judged.rating)
		}
		return row(b.tenant, b.id, b.judged.inference, b.judged.thumb, rating, b.judged.label, b.judged.comment, b.judged.subject)
	})
	l.agree("feedback", func() []string { return judged }, "SELECT tenant, event_id, inference_id, thumb, rating, label, comment, subject FROM feedback")
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// quality counts judged inferences.
type quality struct{ examples, correct int }

func (q quality) String() string {
	return row(q.examples, q.correct, float64(q.correct)/float64(q.examples))
}

// joins compares the examples and what is made of them.
func (l *ledger) joins(books []*booked) {
	l.m.t.Helper()
	inferences, examples := join(books)
	var rows, withFeedback []string
	hours, versions := map[string]*quality{}, map[string]*quality{}
	count := func(of map[string]*quality, key string, right bool) {
		if of[key] == nil {
			of[key] = &quality{}
		}
		of[key].examples++
		if right {
			of[key].correct++
		}
	}
	for _, inf := range inferences {
		var last example
		for _, last = range examples[inf] {
			f := last.feedback
			rows = append(rows, row(inf.tenant, inf.id, f.id, inf.call.model, inf.call.version, inf.call.role, inf.call.textID, inf.call.prediction,
				last.label, sqlBool(last.right), last.revision, f.judged.subject, sqlTime(inf.arrived), sqlTime(f.arrived), sqlTime(laterOf(inf.arrived, f.arrived))))
		}
		n, feedback, reviewer, judged := len(examples[inf]), "", "", `\N`
		if n > 0 {
			feedback, reviewer, judged = last.feedback.id, last.feedback.judged.subject, sqlTime(last.feedback.arrived)
		}
		withFeedback = append(withFeedback, row(inf.tenant, inf.id, inf.call.model, inf.call.version, inf.call.prediction, sqlTime(inf.arrived),
			last.label, sqlBool(last.right), feedback, reviewer, judged, n))
		if last.right != nil {
			of := row(inf.tenant, inf.call.model, inf.call.version)
			count(versions, of, *last.right)
			count(hours, row(of, last.feedback.arrived.UTC().Truncate(time.Hour).Format(time.DateTime)), *last.right)
		}
	}
	if len(hours) < 4 {
		l.m.t.Errorf("the stream is too dull: %d hours", len(hours))
	}
	render := func(of map[string]*quality) func() []string {
		var out []string
		for k, q := range of {
			out = append(out, row(k, q))
		}
		return func() []string { return out }
	}
	l.agree("training_examples", func() []string { return rows }, `SELECT tenant, inference_id, feedback_id, model, model_version, role, text_id, prediction,
label, correct, revision, reviewer, inferred_at, judged_at, arrived_at FROM training_examples`)
	l.agree("inferences_with_feedback", func() []string { return withFeedback }, `SELECT tenant, event_id, request_model, model_version, prediction, arrived_at,
label, correct, feedback_id, reviewer, judged_at, feedbacks FROM inferences_with_feedback`+l.setting())
	l.agree("quality_by_model_hour", render(hours), "SELECT tenant, model, model_version, hour, examples, correct, accuracy FROM quality_by_model_hour"+l.setting())
	l.agree("accuracy_by_version", render(versions), "SELECT tenant, model, model_version, examples, correct, accuracy FROM accuracy_by_version"+l.setting())
}
