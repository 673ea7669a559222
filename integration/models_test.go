//go:build integration

package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/schemas"
)

// learner is a deployment that is taught from labelled texts.
type learner struct {
	*ledger
	*author
	t      *testing.T
	flags  []string
	taught int // labelled texts that were sent
}

func newLearner(t *testing.T, config string) *learner {
	t.Helper()
	flags := configured(t, config)
	m := up(t, t.TempDir(), flags...)
	return &learner{ledger: newLedger(m), author: &author{rng: rand.New(rand.NewPCG(3, 3))}, t: t, flags: flags}
}

// teach sends labelled texts and waits until as many as there must be are reported: each
// partition reports whole fifties.
func (l *learner) teach(n int, classes ...string) {
	l.t.Helper()
	var texts []*entry
	for i := range n {
		texts = append(texts, l.labelled(classes[i%len(classes)]))
	}
	l.send(l.author, texts...)
	l.taught += n
	l.m.await("1", fmt.Sprintf("SELECT sum(examples) > %d FROM quality_reports WHERE topic = 'clean.text'", l.taught-100))
}

// does runs a command that must do well, and say something.
func (l *learner) does(want string, args ...string) string {
	l.t.Helper()
	out, errs, code := l.m.run(args...)
	if code != 0 || !strings.Contains(out, want) {
		l.t.Fatalf("millrace %s exits with %d, want %q:\n%s%s", strings.Join(args, " "), code, want, out, errs)
	}
	return out
}

// refuses runs a command that must be refused, with a reason.
func (l *learner) refuses(why string, args ...string) {
	l.t.Helper()
	out, errs, code := l.m.run(args...)
	if code != 1 || out != "" || !strings.Contains(errs, why) {
		l.t.Errorf("millrace %s exits with %d, want 1 and %q:\n%s%s", strings.Join(args, " "), code, why, out, errs)
	}
}

// awaitStage waits until a version has a stage.
func (l *learner) awaitStage(version, stage string) {
	l.t.Helper()
	l.m.await(stage, "SELECT stage FROM model_registry WHERE version = '"+version+"'")
	l.m.await("0", "SELECT count() FROM drift_triggers WHERE run_id NOT IN (SELECT run_id FROM training_runs WHERE step IN ('finished', 'failed'))")
}

// serves waits until a version answers on both paths, without a restart.
func (l *learner) serves(version string) {
	l.t.Helper()
	eventually(l.t, version+" answers over HTTP", func() bool {
		s, ok := tryAsk(l.m, l.words("billing"))
		return ok && s.ModelVersion == version
	})
	eventually(l.t, version+" answers on the log", func() bool {
		e := l.author.traffic("billing")
		l.send(l.author, e)
		var got string
		eventually(l.t, "an answer on the log", func() bool {
			got = l.m.sql("SELECT model_version FROM inferences WHERE text_id = '%s'", e.id)
			return got != ""
		})
		return got == version
	})
}

// version is the last that the log says of a version, with its offset.
func (l *learner) version(name string) (last *schemas.ModelVersion, changes []string) {
	l.t.Helper()
	for _, h := range l.happenings() {
		if v, ok := h.Message.(*schemas.ModelVersion); ok && v.Version == name {
			last, changes = v, append(changes, v.Stage)
		}
	}
	if last == nil {
		l.t.Fatalf("the log has no %s", name)
	}
	return last, changes
}

// rowsOfTable takes a table that the program prints apart, by two spaces or more.
func rowsOfTable(text string) [][]string {
	var out [][]string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, regexp.MustCompile(` {2,}`).Split(line, -1))
		}
	}
	return out
}

// TestModelsByHand goes the way of a person who decides everything herself (loop:
// observe): train, promote, roll back; and sees who answers, without a restart.
func TestModelsByHand(t *testing.T) {
	t.Parallel()
	l := newLearner(t, "loop: observe\n")
	l.does("there is no version of any model yet", "models", "list")
	l.refuses("there is no model yet", "models", "show", "v1")
	l.refuses(`nothing is known of a model "default"`, "train")
	l.refuses(`nothing is known of a model "default"`, "models", "rollback")

	l.teach(300, "billing", "support")
	l.refuses("no version serves", "models", "rollback")
	l.does("a run will be asked for", "train", "--reason", "the first one")
	l.awaitStage("v1", "candidate")
	if _, ok := tryAsk(l.m, "a word"); ok {
		t.Error("v1 answers, and nobody promoted it")
	}
	l.does("v1 will serve", "models", "promote", "v1", "--reason", "it is good")
	l.serves("v1")
	l.samePaths()

	l.teach(160, "outage")
	l.does("a run will be asked for", "train")
	l.awaitStage("v2", "candidate")
	l.shown("v2", "v1")
	l.does("v2 will serve", "models", "promote", "v2")
	l.serves("v2")
	if s := ask(l.m, l.words("outage")); s.Prediction != "outage" {
		t.Errorf("v2 says %+v of an outage", s)
	}
	l.does("v1 serves in place of v2", "models", "rollback", "--reason", "it is too new")
	l.serves("v1")
	l.refuses("there is no version to go back to from v1", "models", "rollback")
	l.refuses("v1 serves already", "models", "promote", "v1")
	l.refuses(`there is no version "v9"`, "models", "promote", "v9")
	l.refuses("no version waits for approval", "models", "approve")
	l.refuses("v2 does not wait for approval, it is rolled_back", "models", "approve", "v2")
	l.does("v2 will serve", "models", "promote", "v2")
	l.serves("v2")

	l.does("a run will be asked for", "train") // on what v2 knows already
	l.awaitStage("v3", "rejected")
	l.refuses("v3 did not pass its gate", "models", "promote", "v3")
	l.does("not passed: ", "models", "show", "v3")
	if _, changes := l.version("v2"); !slices.Equal(changes, []string{"candidate", "champion", "rolled_back", "champion"}) {
		t.Errorf("v2 was %v", changes)
	}
	if got := l.m.sql("SELECT DISTINCT reason FROM drift_triggers"); got != "manual" {
		t.Errorf("runs were asked for because of %s: nobody but a person may", got)
	}

	l.m.verify() // the lake reaches what trace names
	l.listed()
	l.status()
	l.traced()
	l.tampered()
}

// samePaths checks that a text gets the same answer when it is asked about and when it is
// collected: the same cleaning, the same model.
func (l *learner) samePaths() {
	l.t.Helper()
	mail := "From: ada@example.org\nSubject: =?utf-8?q?Refund=3F?=\nContent-Type: text/html; charset=utf-8\n\n<p>The invoice &amp; the\n<b>charge</b></p>"
	for i, fields := range []map[string]any{
		{"text": l.words("billing")},
		{"text": "  Write to ada@example.org:\r\n\r\n\r\nthe  printer driver\tcrashed\u00a0again "},
		{"data": []byte(mail), "content_type": "message/rfc822"},
		{"data": []byte("caf\xe9 invoice"), "content_type": "text/plain; charset=latin1"},
	} {
		status, answer := l.m.post("/v1/predict", "application/json", encode(fields))
		var s said
		if err := json.Unmarshal([]byte(answer), &s); err != nil || status != 200 || s.InferenceID == "" {
			l.t.Fatalf("POST /v1/predict: %d %s", status, answer)
		}
		id := fmt.Sprint("path-", i)
		fields["id"] = id
		if status, answer := l.m.post("/v1/text", "application/json", encode(fields)); status != 202 {
			l.t.Fatalf("POST /v1/text: %d %s", status, answer)
		}
		const columns = "SELECT prediction, confidence, model_version, content_hash, role FROM inferences WHERE "
		want := row(s.Prediction, s.Probability, s.ModelVersion)
		l.m.await("1", "SELECT count() FROM inferences WHERE event_id = '"+s.InferenceID+"'")
		l.m.await("1", "SELECT count() FROM inferences WHERE text_id = '"+id+"'")
		asked, collected := l.m.sql("%s event_id = '%s'", columns, s.InferenceID), l.m.sql("%s text_id = '%s'", columns, id)
		if asked != collected || !strings.HasPrefix(asked, want+"\t1:") || !strings.HasSuffix(asked, "\tchampion") {
			l.t.Errorf("text %d: the answer is %s, the log has %s where it was asked and %s where it was collected", i, want, asked, collected)
		}
	}
}

// shown compares what models show prints with the log, the objects and the texts.
func (l *learner) shown(version, parent string) {
	l.t.Helper()
	v, _ := l.version(version)
	var trigger *schemas.DriftTrigger
	var command *schemas.ModelCommand
	for _, h := range l.happenings() {
		switch e := h.Message.(type) {
		case *schemas.DriftTrigger:
			if e.RunID == v.RunID {
				trigger = e
			}
		case *schemas.ModelCommand:
			if trigger == nil && e.Command == "train" {
				command = e
			}
		}
	}
	if trigger == nil || command == nil || trigger.CauseID != command.EventID || trigger.ParentVersion != parent ||
		!strings.HasPrefix(trigger.Detail, command.By+"; ") { // no reason was given
		l.t.Fatalf("%s: trigger %+v, command %+v", version, trigger, command)
	}
	for what, object := range map[string][2]string{"artefact": {v.Artifact, v.Digest}, "dataset": {v.Dataset, v.DatasetHash}} {
		data, err := os.ReadFile(filepath.Join(l.m.data, "objects", object[0]))
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); err != nil || got != object[1] {
			l.t.Errorf("the %s %s has SHA-256 %s, want %s: %v", what, object[0], got, object[1], err)
		}
	}
	// What it learned from is what lies in its ranges: each of these texts is another.
	var within []string
	for _, r := range v.Ranges {
		m := regexp.MustCompile(`^(clean\.text)/(\d+):(\d+)-(\d+)$`).FindStringSubmatch(r)
		if m == nil {
			l.t.Fatalf("%s was trained on %q", version, r)
		}
		within = append(within, fmt.Sprintf("_topic = '%s' AND _partition = %s AND _offset >= %s AND _offset < %s", m[1], m[2], m[3], m[4]))
	}
	texts := l.m.sql("SELECT count() FROM clean_text WHERE label != '' AND (%s)", strings.Join(within, " OR "))
	if got := l.m.sql("SELECT examples FROM training_runs WHERE run_id = '%s' AND step = 'dataset'", v.RunID); got != texts {
		l.t.Errorf("the dataset of %s has %s examples, its ranges %v have %s labelled texts", version, got, v.Ranges, texts)
	}
	out := l.does(version+" of default, "+v.Stage, "models", "show", version)
	for _, fact := range slices.Concat(v.Ranges, []string{
		v.Artifact, "SHA-256 " + v.Digest, v.Dataset, "SHA-256 " + v.DatasetHash, fmt.Sprintf("%d examples of", v.Examples), strings.Join(v.Labels, ", "),
		v.RunID, "manual " + trigger.EventID, command.EventID, v.TrainingRulesVersion, fmt.Sprintf("%-14s %s\n", "parent", parent), fmt.Sprintf("%-14s passed\n", "gate"),
	}) {
		if !strings.Contains(out, fact) {
			l.t.Errorf("models show %s does not say %q:\n%s", version, fact, out)
		}
	}
}

// listed compares models list with the log.
func (l *learner) listed() {
	l.t.Helper()
	got := rowsOfTable(l.does("VERSION", "models", "list"))
	var want [][]string
	for _, name := range []string{"v1", "v2", "v3"} {
		v, _ := l.version(name)
		at := v.ArrivedAt.Time().Format("2006-01-02 15:04:05")
		want = append(want, []string{"default", name, v.Stage, at, "manual", fmt.Sprint(v.Examples), "0", "-"})
	}
	if len(got) != 4 || !slices.EqualFunc(got[1:], want, slices.Equal) {
		l.t.Errorf("models list says\n%q, want\n%q", got, want)
	}
}

// status compares what status prints with the logs, the tables and the models; how far
// the stages are is told within a second.
func (l *learner) status() {
	l.t.Helper()
	out := l.does("every role is up", "status")
	if want := fmt.Sprintf("millrace runs as process %d: http://%s, Kafka on %s", l.m.cmd.Process.Pid, l.m.HTTP, l.m.Kafka); !strings.Contains(out, want) {
		l.t.Errorf("status does not say %q:\n%s", want, out)
	}
	if list := l.does("VERSION", "models", "list"); !strings.Contains(out, list) {
		l.t.Errorf("status does not list the models:\n%s", out)
	}
	digits := strings.NewReplacer(",", "", " ", "")
	want := map[string][]string{}
	for _, topic := range []string{"raw.text", "inference.logs", "user.feedback", "clean.text", "interactions", "training.examples", "model.events", "dead.letters"} {
		partitions := "2"
		if topic == "training.examples" || topic == "model.events" {
			partitions = "1"
		}
		want[topic] = []string{topic, partitions, fmt.Sprint(len(wholeLog(l.t, l.m.Kafka, topic))), "-"}
	}
	for _, table := range strings.Fields(l.m.sql("SELECT name FROM system.tables WHERE database = 'millrace' AND sorting_key LIKE '%%_origin_offset%%'")) {
		want[table] = []string{table, l.m.sql("SELECT count() FROM %s", table)}
	}
	eventually(l.t, fmt.Sprintf("status says %q", want), func() bool {
		left := len(want)
		out = l.does("every role is up", "status")
		for _, r := range rowsOfTable(out) {
			for i := 1; i < len(r); i++ {
				r[i] = digits.Replace(r[i])
			}
			if slices.Equal(r, want[r[0]]) {
				left--
			}
		}
		return left == 0
	})
}

// traced compares what trace prints of a text, and of what was made of it, with the
// tables, the lake and the datasets.
func (l *learner) traced() {
	l.t.Helper()
	l.refuses(`no row is about "nobody"`, "trace", "nobody")
	// Of a text that all versions know: where it lies, and on which side of each it was.
	first := l.entries[0]
	out := l.does("clean_text", "trace", first.id)
	at := l.m.sql("SELECT concat('at clean.text/', toString(_partition), ':', toString(_offset), ', from raw.text/', toString(_origin_partition), ':', toString(_origin_offset)) FROM clean_text WHERE event_id = '%s'", first.id)
	if !strings.Contains(out, at) || !strings.Contains(out, "label "+first.text.label) {
		l.t.Errorf("trace does not say %q:\n%s", at, out)
	}
	l.inLake(out, first.id)
	for _, version := range []string{"v1", "v2", "v3"} {
		v, _ := l.version(version)
		said := regexp.MustCompile(fmt.Sprintf(`default %s \(%s\) was (trained on|judged by) it, with label %s`, version, v.Stage, first.text.label))
		if n := len(said.FindAllString(out, -1)); n != 1 {
			l.t.Errorf("trace says %d times what %s made of %s:\n%s", n, version, first.id, out)
		}
	}
	// Of a text, its answer, a feedback on that and the example that they made.
	text := l.author.traffic("support")
	l.send(l.author, text)
	l.m.await("1", "SELECT count() FROM inferences WHERE text_id = '"+text.id+"'")
	inference := l.m.sql("SELECT event_id FROM inferences WHERE text_id = '%s'", text.id)
	judged := posted("/v1/feedback", "feedback", "", l.id("judged"), map[string]any{"inference_id": inference, "label": "billing"})
	l.send(l.author, judged)
	l.m.await("1", "SELECT count() FROM training_examples WHERE inference_id = '"+inference+"'")
	l.m.verify()
	example := l.m.sql("SELECT event_id FROM training_examples WHERE inference_id = '%s'", inference)
	for _, id := range []string{text.id, inference, judged.id} {
		out := l.does("said support, right is billing", "trace", id)
		want := []string{inference, judged.id, example}
		if id == text.id {
			want = append(want, text.id)
		}
		for _, fact := range want {
			if !strings.Contains(out, fact) {
				l.t.Errorf("trace %s does not say %s:\n%s", id, fact, out)
			}
		}
		l.inLake(out, id)
	}
	// Of what was refused, the rule; and nothing where the tenant is another.
	bad := l.refused()[0]
	l.send(l.author, bad)
	l.m.await("1", "SELECT count() FROM rejected WHERE event_id = '"+bad.id+"'")
	l.does("empty: nothing is left of the text", "trace", bad.id, "--tenant", "default")
	l.refuses(fmt.Sprintf("no row is about %q", bad.id), "trace", bad.id, "--tenant", "acme")
}

// inLake checks that each row that trace shows lies in the file that it names.
func (l *learner) inLake(out, id string) {
	l.t.Helper()
	rows, files := strings.Count(out, "\n"+strings.Repeat(" ", 17)+"   at "), regexp.MustCompile(`   in (\S+)\n`).FindAllStringSubmatch(out, -1)
	if rows == 0 || len(files) != rows {
		l.t.Errorf("trace %s names %d files for %d rows:\n%s", id, len(files), rows, out)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(l.m.data, "objects", f[1]))
		if err != nil || !bytes.HasPrefix(data, []byte("PAR1")) {
			l.t.Errorf("trace %s names %s: %v", id, f[1], err)
		}
	}
}

// tampered changes the artefact of a version: it is refused, with a clear error, and the
// champion before serves on, also after a restart.
func (l *learner) tampered() {
	l.t.Helper()
	v, _ := l.version("v1")
	path := filepath.Join(l.m.data, "objects", v.Artifact)
	data, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.does("v1 will serve", "models", "promote", "v1")
	refused := func() {
		l.t.Helper()
		eventually(l.t, "v1 is refused", func() bool {
			out := l.m.out.String()
			return strings.Contains(out, "the champion cannot be loaded; the version before stays in use") &&
				strings.Contains(out, v.Artifact+" has SHA-256 ") && strings.Contains(out, "want "+v.Digest)
		})
		l.serves("v2")
	}
	refused()
	l.m.stop()
	l.m = up(l.t, l.m.data, l.flags...)
	refused()
	l.does("v2 serves in place of v1", "models", "rollback")
	l.serves("v2")
	l.m.stop()
}

// TestLoopPropose trains by itself and waits for a person.
func TestLoopPropose(t *testing.T) {
	t.Parallel()
	l := newLearner(t, "loop: propose\n")
	l.refuses(`nothing is known of a model "default"`, "models", "approve")
	l.teach(300, "billing", "support")
	l.awaitStage("v1", "candidate")
	if _, ok := tryAsk(l.m, "a word"); ok {
		t.Error("v1 answers, and nobody approved it")
	}
	if rows := rowsOfTable(l.does("VERSION", "models", "list")); len(rows) != 2 || !slices.Equal(rows[1][:3], []string{"default", "v1", "candidate"}) || rows[1][4] != "bootstrap" {
		t.Errorf("models list says %q", rows)
	}
	l.does("v1 will serve", "models", "approve", "--reason", "well done")
	l.serves("v1")
	l.refuses("no version waits for approval", "models", "approve")
	out := l.does("v1 of default, champion", "models", "show", "v1")
	if !regexp.MustCompile(`champion: approve by \S+: well done`).MatchString(out) {
		t.Errorf("models show does not say who approved v1, and why:\n%s", out)
	}
	l.m.stop()
}
