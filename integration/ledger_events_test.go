//go:build integration

package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The input topics, by the path of their events.
var inputOf = map[string]string{"/v1/text": "raw.text", "/v1/inferences": "inference.logs", "/v1/feedback": "user.feedback"}

// entry is one event that the test sends, and what must become of it.
type entry struct {
	topic string
	// Sent over HTTP, or written to the topic as a stranger does: under a key of its own,
	// perhaps of another time.
	path   string
	direct bool
	key    string
	when   time.Time
	body   []byte
	media  string // content type of a direct record; empty for none

	tenant, id string
	// table is where its verdict must be, why the rule or reason that it must name.
	table, why string
	first      *entry // of a repeated one: the first post
	copied     *entry // of one under a wrong key: what is written again under the right one

	text   *canonical
	call   *call
	judged *judgement
}

// canonical is what must be kept of a clean text.
type canonical struct {
	text, label string
	// traffic is a text without a label that was sent while a champion answered.
	traffic bool
}

// call is what must be kept of an inference.
type call struct {
	model, version, role, textID, prediction string
}

// judgement is what must be kept of a feedback.
type judgement struct {
	inference, thumb, label, comment, subject string
	rating                                    *float64
	joined                                    bool // its inference came, and near enough
}

// right says what a judgement makes of an answer: right, wrong, or nothing.
func (j *judgement) right(prediction string) *bool {
	var yes bool
	switch {
	case j.label != "" && prediction != "":
		yes = j.label == prediction
	case j.thumb != "":
		yes = j.thumb == "up"
	case j.rating != nil && *j.rating >= 0 && *j.rating <= 1:
		yes = *j.rating >= .5
	default:
		return nil
	}
	return &yes
}

// author makes events by a seed.
type author struct {
	rng *rand.Rand
	n   int
}

// subjects are the classes of the texts, with words that no other class uses.
var subjects = map[string][]string{
	"billing": strings.Fields("invoice refund charge receipt payment card statement balance tax discount renewal currency amount"),
	"support": strings.Fields("crash button screen install update password login printer driver cable window keyboard menu"),
	"outage":  strings.Fields("downtime datacenter latency packet failover region cluster timeout unreachable degraded status gateway"),
}

var common = strings.Fields("please the a about with my your today again when hello thanks since still need help")

func (a *author) id(what string) string {
	a.n++
	return fmt.Sprintf("%s-%04d", what, a.n)
}

func pick[T any](a *author, from []T) T { return from[a.rng.IntN(len(from))] }

// words are of a class, and like no other text's.
func (a *author) words(class string) string {
	var b strings.Builder
	for range 6 + a.rng.IntN(6) {
		b.WriteString(pick(a, subjects[class]) + " " + pick(a, common) + " ")
	}
	a.n++
	return fmt.Sprintf("%sref k%dz", b.String(), a.n)
}

func encode(fields map[string]any) []byte {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // the test's own maps
	}
	return b
}

func posted(path, table, why, id string, fields map[string]any) *entry {
	fields["id"] = id
	return &entry{topic: inputOf[path], path: path, body: encode(fields), tenant: "default", id: id, table: table, why: why}
}

// written is an event that a stranger writes to the topic himself.
func written(path, key, table, why string, body []byte) *entry {
	return &entry{topic: inputOf[path], direct: true, key: key, body: body, tenant: "default", table: table, why: why}
}

// labelled is a text whose source knows the answer; one in four has an address in it,
// which must not be kept.
func (a *author) labelled(class string) *entry {
	e := a.traffic(class)
	e.text.label, e.text.traffic = class, false
	fields := map[string]any{"text": e.text.text, "label": class, "source": "desk"}
	if a.rng.IntN(4) == 0 {
		fields["text"] = e.text.text + " from ada@example.org"
		e.text.text += " from <EMAIL>"
	}
	fields["id"] = e.id
	e.body = encode(fields)
	return e
}

func (a *author) traffic(class string) *entry {
	text := a.words(class)
	e := posted("/v1/text", "clean_text", "", a.id("text"), map[string]any{"text": text, "source": "app"})
	e.text = &canonical{text: text, traffic: true}
	return e
}

// inference is a call of a model of the user's own, in OpenTelemetry's names.
func (a *author) inference(id string) *entry {
	c := &call{model: "chat", version: "2026-02"}
	fields := map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme", "gen_ai.request.model": c.model, "model_version": c.version,
		"gen_ai.input.messages":     []any{map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "content": a.words("support")}}}},
		"gen_ai.usage.input_tokens": 12, "gen_ai.response.finish_reasons": []string{"stop"},
	}
	if a.rng.IntN(2) == 0 { // a classifier of the user's own
		c.model, c.version, c.prediction = "router", pick(a, []string{"a", "b"}), pick(a, []string{"billing", "support"})
		fields["gen_ai.request.model"], fields["model_version"], fields["prediction"] = c.model, c.version, c.prediction
	}
	e := posted("/v1/inferences", "inferences", "", id, fields)
	e.call = c
	return e
}

// feedback is one of every sort on an inference.
func (a *author) feedback(inference string, joined bool) *entry {
	j := &judgement{inference: inference, joined: joined, subject: pick(a, []string{"", "ada", "grace"})}
	fields := map[string]any{"inference_id": inference}
	if j.subject != "" {
		fields["subject"] = j.subject
	}
	switch a.rng.IntN(8) {
	case 0, 1:
		j.label = pick(a, []string{"billing", "support"})
		fields["label"] = j.label
	case 2, 3:
		j.thumb = pick(a, []string{"up", "down"})
		fields["thumb"] = j.thumb
	case 4, 5:
		r := pick(a, []float64{0, .25, .5, 1, 4, -1})
		j.rating = &r
		fields["gen_ai.evaluation.score.value"] = r
	case 6:
		j.comment = "so it is"
		fields["comment"] = j.comment
	case 7:
		fields["preferred_over"] = "another"
	}
	e := posted("/v1/feedback", "feedback", "", a.id("judged"), fields)
	e.judged = j
	return e
}

// again is e posted once more: the same event, sent later.
func (a *author) again(e *entry) *entry {
	var fields map[string]any
	if err := json.Unmarshal(e.body, &fields); err != nil {
		panic(err)
	}
	fields["trace_id"], fields["event_time"] = fmt.Sprintf("%032x", a.rng.Uint64()), "2026-01-02T03:04:05Z"
	return &entry{topic: e.topic, path: e.path, direct: e.direct, key: e.key, body: encode(fields), tenant: e.tenant, id: e.id,
		table: "duplicates", why: "repeated", first: e}
}

// other is another event under e's id.
func (a *author) other(e *entry) *entry {
	var fields map[string]any
	if err := json.Unmarshal(e.body, &fields); err != nil {
		panic(err)
	}
	fields["session_id"] = fmt.Sprint(a.rng.Uint64())
	return &entry{topic: e.topic, path: e.path, direct: e.direct, key: e.key, body: encode(fields), tenant: e.tenant, id: e.id,
		table: "dead_letters", why: "id_conflict", first: e}
}

// conversation is an inference and feedback on it, before and behind it, some of either
// posted again or contradicted.
func (a *author) conversation() []*entry {
	id := a.id("call")
	story := []*entry{a.inference(id)}
	for range a.rng.IntN(4) {
		story = append(story, a.feedback(id, true))
	}
	a.rng.Shuffle(len(story), func(i, j int) { story[i], story[j] = story[j], story[i] })
	for _, e := range slices.Clone(story) {
		switch a.rng.IntN(6) {
		case 0:
			story = append(story, a.again(e))
		case 1:
			story = append(story, a.other(e), a.again(e))
		}
	}
	return story
}

// orphan is feedback on an inference that never comes.
func (a *author) orphan() []*entry {
	id := a.id("never")
	return []*entry{a.feedback(id, false), a.feedback(id, false)}
}

// neighbours are two tenants' events under the same ids: neither is the other's repeat,
// nor its feedback.
func (a *author) neighbours() []*entry {
	id := a.id("shared")
	mine, yours := a.inference(id), a.inference(id)
	judged := a.feedback(id, true)
	for _, e := range []*entry{yours, judged} {
		var fields map[string]any
		if err := json.Unmarshal(e.body, &fields); err != nil {
			panic(err)
		}
		fields["tenant"] = "acme"
		e.body, e.tenant, e.direct, e.key, e.path = encode(fields), "acme", true, id, ""
	}
	return []*entry{mine, judged, yours}
}

// refused are events that each rule refuses, and one of them again.
func (a *author) refused() []*entry {
	late := time.Now().AddDate(2, 0, 0).UTC().Format(time.RFC3339)
	text := func(rule string, fields map[string]any) *entry {
		return posted("/v1/text", "rejected", rule, a.id("bad"), fields)
	}
	out := []*entry{
		text("empty", map[string]any{"text": " \n\t "}),
		text("too_short", map[string]any{"text": "ab"}),
		text("too_long", map[string]any{"text": strings.Repeat("many words ", 200)}),
		text("noise_symbols", map[string]any{"text": strings.Repeat("#$%^&* ", 12)}),
		text("noise_repetition", map[string]any{"text": strings.Repeat("a", 300)}),
		text("noise_encoding", map[string]any{"data": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x01\x02\xfe ab", 20)))}),
		text("event_time_future", map[string]any{"text": a.words("billing"), "event_time": late}),
		posted("/v1/inferences", "rejected", "event_time_future", a.id("bad"), map[string]any{"model": "chat", "event_time": late}),
		posted("/v1/feedback", "rejected", "event_time_future", a.id("bad"), map[string]any{"inference_id": a.id("never"), "thumb": "up", "event_time": late}),
		posted("/v1/feedback", "rejected", "no_judgement", a.id("bad"), map[string]any{"inference_id": a.id("never"), "name": "helpful"}),
	}
	return append(out, a.again(out[1]), a.again(out[9]))
}

// dead are records that nobody can read, as strangers write them.
func (a *author) dead() []*entry {
	binary := written("/v1/text", a.id("dead"), "dead_letters", "invalid_protobuf", []byte("\xff\xff\xff"))
	binary.media = "application/x-protobuf"
	return []*entry{
		binary,
		written("/v1/text", a.id("dead"), "dead_letters", "invalid_json", []byte(`{"id":"x","text":`)),
		written("/v1/text", a.id("dead"), "dead_letters", "unknown_field", []byte(`{"id":"x","txt":"a text"}`)),
		written("/v1/text", a.id("dead"), "dead_letters", "invalid_field", []byte(`{"id":"x","text":7}`)),
		written("/v1/inferences", a.id("dead"), "dead_letters", "missing_field", []byte(`{"id":"x"}`)),
		written("/v1/feedback", a.id("dead"), "dead_letters", "missing_field", []byte(`{"id":"x","thumb":"up"}`)),
	}
}

// astray are events under a key that is not theirs, or under none: each is written once
// more, where its like are.
func (a *author) astray() [][]*entry {
	var out [][]*entry
	stray := func(e *entry, key string) *entry {
		again := *e
		again.path = ""
		return &entry{topic: e.topic, direct: true, key: key, body: e.body, tenant: e.tenant, id: e.id, table: "duplicates", why: "rekeyed", copied: &again}
	}
	for _, key := range []string{"", "astray"} {
		id := a.id("call")
		out = append(out, []*entry{a.inference(id), stray(a.feedback(id, true), key)}, []*entry{stray(a.inference(a.id("call")), key)})
	}
	return out
}

// mix puts stories together: the order within each stays.
func (a *author) mix(stories ...[]*entry) []*entry {
	var out []*entry
	for len(stories) > 0 {
		i := a.rng.IntN(len(stories))
		if len(stories[i]) == 0 {
			stories = slices.Delete(stories, i, i+1)
			continue
		}
		out = append(out, stories[i][0])
		stories[i] = stories[i][1:]
	}
	return out
}

// paths are in an order of the author's choice.
func (a *author) paths() []string {
	out := slices.Sorted(maps.Keys(inputOf))
	a.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
