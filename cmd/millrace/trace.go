package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/dataset"
)

func traceCommand() *command {
	return &command{name: "trace", args: "EVENT_ID [FLAGS]", summary: "Follow one event: verdict, rows, files, examples, the versions trained on it.",
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			tenant := fs.String("tenant", "", "`TENANT` of the event (default any)")
			return func(ctx context.Context, env *environment, args []string) error {
				if len(args) != 1 {
					fmt.Fprintln(env.stderr, "millrace trace: name one event by its id")
					return errUsage
				}
				return attached(ctx, &flags, env, func(a *app) error {
					t := &tracer{app: a, w: env.stdout, id: args[0], tenant: *tenant}
					return t.all(ctx)
				})
			}
		}}
}

// tracer follows one id.
type tracer struct {
	*app
	w          io.Writer
	id, tenant string
	rows       []traced
}

// traced is a row that is about the id.
type traced struct {
	kind      schemas.Kind
	tenant    string
	eventID   string
	topic     string
	partition int32
	offset    int64
	arrived   time.Time
	origin    string
	note      string
}

// references are the columns by which a kind's rows name other events, and what is shown
// of such a row.
var references = map[schemas.Kind]struct {
	columns []string
	note    string
}{
	schemas.KindCleanText:       {nil, "concat(toString(characters), ' characters', if(label = '', '', concat(', label ', label)))"},
	schemas.KindRejected:        {nil, "concat(rule, ': ', detail)"},
	schemas.KindDuplicate:       {nil, "reason"},
	schemas.KindDeadLetter:      {nil, "concat(reason, ': ', detail)"},
	schemas.KindInference:       {[]string{"text_id"}, "concat(if(prediction = '', operation_name, concat('answer ', prediction)), if(model_version = '', '', concat(' by ', request_model, ' ', model_version)))"},
	schemas.KindFeedback:        {[]string{"inference_id"}, "concat('on ', inference_id, if(label = '', '', concat(', label ', label)), if(thumb = '', '', concat(', thumb ', thumb)), if(rating IS NULL, '', concat(', rating ', toString(assumeNotNull(rating)))))"},
	schemas.KindTrainingExample: {[]string{"text_id", "inference_id", "feedback_id"}, "concat(model, ' ', model_version, ' said ', prediction, ', right is ', label, ', side ', split)"},
}

func (t *tracer) all(ctx context.Context) error {
	if err := t.find(ctx); err != nil {
		return err
	}
	if len(t.rows) == 0 {
		return fmt.Errorf("no row is about %q: it was never taken, or the sinks have not reached it yet (millrace status shows how far they are)", t.id)
	}
	for _, r := range t.rows {
		fmt.Fprintf(t.w, "%-17s %s  %s\n", r.kind, r.eventID, console.Clean(r.note))
		fmt.Fprintf(t.w, "%-17s   at %s/%d:%d, from %s\n", "", r.topic, r.partition, r.offset, r.origin)
		file, err := t.file(ctx, r)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.w, "%-17s   in %s\n", "", file)
	}
	return t.versions(ctx)
}

// find reads the rows that are about the id: its own, and those that name it or what was
// made of it.
func (t *tracer) find(ctx context.Context) error {
	ids := []string{t.id}
	seen := map[string]bool{}
	for range 2 { // the second time also what names an inference on a text
		for _, kind := range schemas.StoredKinds() {
			ref, ok := references[kind]
			if !ok {
				continue
			}
			where := []string{"event_id IN ($1)"}
			for _, c := range ref.columns {
				where = append(where, c+" IN ($1)")
			}
			q := fmt.Sprintf(`SELECT tenant, event_id, _topic, _partition, _offset, _origin_topic_id, _origin_partition, _origin_offset, arrived_at, %s
FROM %s.%s WHERE (%s) AND ($2 = '' OR tenant = $2) ORDER BY _offset`, ref.note, t.cfg.ClickHouse.Database, kind, strings.Join(where, " OR "))
			rows, err := t.conn.Query(ctx, q, ids, t.tenant)
			if err != nil {
				return fmt.Errorf("ask for %s: %w", kind, err)
			}
			for rows.Next() {
				r := traced{kind: kind}
				var originTopic string
				var originPartition int32
				var originOffset int64
				if err := rows.Scan(&r.tenant, &r.eventID, &r.topic, &r.partition, &r.offset, &originTopic, &originPartition, &originOffset, &r.arrived, &r.note); err != nil {
					return errors.Join(fmt.Errorf("ask for %s: %w", kind, err), rows.Close())
				}
				r.origin = fmt.Sprintf("%s/%d:%d", t.topicName(originTopic), originPartition, originOffset)
				key := fmt.Sprintf("%s %s/%d:%d", kind, r.topic, r.partition, r.offset)
				if seen[key] {
					continue
				}
				seen[key] = true
				t.rows = append(t.rows, r)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return fmt.Errorf("ask for %s: %w", kind, err)
			}
		}
		for _, r := range t.rows {
			if r.kind == schemas.KindInference && !slices.Contains(ids, r.eventID) {
				ids = append(ids, r.eventID)
			}
		}
	}
	return nil
}

// topicName is the name of the topic with an id; the id where there is none any more.
func (t *tracer) topicName(id string) string {
	for _, spec := range t.cfg.Topics.Specs() {
		if topic, err := t.bus.Topic(spec.Name); err == nil && topic.ID.String() == id {
			return spec.Name
		}
	}
	return id
}

// file is where a row lies in the lake.
func (t *tracer) file(ctx context.Context, r traced) (string, error) {
	topic, err := t.bus.Topic(r.topic)
	if err != nil {
		return "", err
	}
	for c, err := range lake.Commits(ctx, t.objects, topic.ID, r.partition) {
		if err != nil {
			return "", err
		}
		if r.offset < c.First || r.offset >= c.End {
			continue
		}
		for _, f := range c.Files {
			if f.Kind == r.kind && f.Tenant == r.tenant && f.Day == r.arrived.UTC().Format(time.DateOnly) {
				return f.Key, nil
			}
		}
	}
	return "no file yet", nil
}

// versions tells which versions were trained on what was made of the event, and which
// were judged by it.
func (t *tracer) versions(ctx context.Context) error {
	fold, err := t.foldModels(ctx)
	if err != nil {
		return err
	}
	for _, name := range fold.Names() {
		for _, v := range fold.Model(name).Versions {
			ranges, err := trainers.ParseRanges(v.Ranges)
			if err != nil || !slices.ContainsFunc(t.rows, func(r traced) bool { return within(ranges, r) }) {
				continue
			}
			d, err := dataset.Load(ctx, t.objects, v.RunID)
			if errors.Is(err, objstore.ErrNotFound) {
				fmt.Fprintf(t.w, "%-17s %s %s: its dataset is gone\n", "version", name, v.Version)
				continue
			}
			if err != nil {
				return err
			}
			for i := range d.Examples {
				e := &d.Examples[i]
				if !slices.ContainsFunc(t.rows, func(r traced) bool { return r.eventID == e.ID }) {
					continue
				}
				side := "was trained on it"
				if e.Test {
					side = "was judged by it"
				}
				fmt.Fprintf(t.w, "%-17s %s %s (%s) %s, with label %s\n", "version", name, v.Version, v.Stage, side, console.Clean(e.Label))
			}
		}
	}
	return nil
}

// within says whether a row is of what a version was trained on.
func within(ranges []trainers.Range, r traced) bool {
	if r.topic != bus.TrainingExamples && r.topic != bus.CleanText {
		return false
	}
	return slices.ContainsFunc(ranges, func(x trainers.Range) bool {
		return x.Topic == r.topic && x.Partition == r.partition && x.Contains(r.offset)
	})
}
