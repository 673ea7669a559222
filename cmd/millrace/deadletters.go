package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/user"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/console"
	"github.com/millrace-io/millrace/internal/deadletters"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/processors/clean"
	"github.com/millrace-io/millrace/schemas"
)

func deadlettersCommand() *command {
	return &command{name: "deadletters", args: "list | show ORIGIN | replay ORIGIN… | drop ORIGIN… | resume [FLAGS]", summary: "List what could not be read, show it, post it again, drop it.",
		help: `ORIGIN is where the dead record lies, as list shows it: raw.text/0:17. replay puts
its bytes on the input once more, to be judged anew; however often it is asked for, a
record counts once. --all takes all that list shows which were neither replayed nor
dropped. drop is a mark that you have seen it: the bytes stay until the topic's retention
(topics.keep_dead_letters) removes them. resume lets a stage go on that clean.stop_on_dead_share
has stopped.`,
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			c := letterCommand{}
			fs.StringVar(&c.topic, "topic", "", "only what is dead on `TOPIC`: raw.text, inference.logs, user.feedback")
			fs.StringVar(&c.reason, "reason", "", "only what is dead for this `REASON`, such as unknown_field")
			fs.Var((*long)(&c.since), "since", "only what came within the last `LONG`, such as 24h (default all)")
			fs.BoolVar(&c.all, "all", false, "replay or drop all that the other flags choose")
			fs.BoolVar(&c.raw, "raw", false, "show the bytes alone, as they are")
			fs.BoolVar(&c.json, "json", false, "list as JSON, one letter a line")
			return func(ctx context.Context, env *environment, args []string) error {
				action, origins, err := c.parse(args)
				if err != nil {
					fmt.Fprintf(env.stderr, "millrace deadletters: %s\n", err)
					return errUsage
				}
				c.w = env.stdout
				return attached(ctx, &flags, env, func(a *app) error {
					c.app = a
					switch action {
					case "show":
						return c.show(ctx, origins[0])
					case "replay":
						return c.replay(ctx, origins)
					case "drop":
						return c.drop(ctx, origins)
					case "resume":
						return c.resume(ctx)
					}
					return c.list(ctx)
				})
			}
		}}
}

// inputs are the topics whose records may be dead, reasons what they may be dead for.
var (
	inputs  = []string{bus.RawText, bus.InferenceLogs, bus.UserFeedback}
	reasons = []string{schemas.ClassInvalidJSON, schemas.ClassInvalidProtobuf, schemas.ClassInvalidField, schemas.ClassMissingField,
		schemas.ClassUnknownField, schemas.ClassTooLarge, clean.ReasonIDConflict}
)

// letterCommand is one call of millrace deadletters.
type letterCommand struct {
	*app
	w                io.Writer
	topic, reason    string
	since            time.Duration
	all, raw, json   bool
	replayed, closed map[deadletters.ID]bool // closed: dropped
}

// parse reads the action and the origins that it is to be done to.
func (c *letterCommand) parse(args []string) (action string, origins []bus.Position, err error) {
	action = "list"
	if len(args) > 0 {
		action, args = args[0], args[1:]
	}
	if c.topic != "" && !slices.Contains(inputs, c.topic) {
		return "", nil, fmt.Errorf("there is no input %q: known are %s", c.topic, strings.Join(inputs, ", "))
	}
	if c.reason != "" && !slices.Contains(reasons, c.reason) {
		return "", nil, fmt.Errorf("there is no reason %q: known are %s", c.reason, strings.Join(reasons, ", "))
	}
	for _, a := range args {
		at, err := bus.ParsePosition(a)
		if err != nil {
			return "", nil, err
		}
		origins = append(origins, at)
	}
	many := action == "replay" || action == "drop"
	switch {
	case !slices.Contains([]string{"list", "show", "replay", "drop", "resume"}, action):
		return "", nil, fmt.Errorf("there is no %q: say list, show ORIGIN, replay ORIGIN…, drop ORIGIN… or resume", action)
	case action == "show" && len(origins) != 1:
		return "", nil, errors.New("show takes one ORIGIN, as list shows it")
	case many && c.all == (len(origins) > 0):
		return "", nil, fmt.Errorf("%s takes ORIGINs, as list shows them, or --all", action)
	case !many && (c.all || action != "show" && len(origins) > 0):
		return "", nil, fmt.Errorf("%s takes no ORIGIN and no --all", action)
	}
	return action, origins, nil
}

// load reads which letters were replayed and dropped.
func (c *letterCommand) load(ctx context.Context) (err error) {
	if c.replayed, err = deadletters.All(ctx, c.objects, deadletters.Replayed); err != nil {
		return err
	}
	c.closed, err = deadletters.All(ctx, c.objects, deadletters.Dropped)
	return err
}

// chosen says whether the flags choose a letter.
func (c *letterCommand) chosen(l *bus.Letter) bool {
	return (c.topic == "" || l.Input.Topic == c.topic) && (c.reason == "" || l.Reason == c.reason) &&
		(c.since == 0 || time.Since(l.Timestamp) <= c.since)
}

func (c *letterCommand) status(l *bus.Letter) string {
	id := deadletters.IDOf(l.Origin)
	switch {
	case c.replayed[id]:
		return deadletters.Replayed
	case c.closed[id]:
		return deadletters.Dropped
	}
	return "open"
}

// letters yields what the flags choose, with the topic's name where a letter lacks it.
func (c *letterCommand) letters(ctx context.Context, each func(*bus.Letter) error) error {
	t := tracer{app: c.app}
	for l, err := range c.bus.Letters(ctx) {
		if err != nil {
			return err
		}
		if l.Input.Topic == "" { // of a version that did not say it
			l.Input.Topic = t.topicName(l.Origin.TopicID.String())
		}
		if !c.chosen(l) {
			continue
		}
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}

// each takes what was named, or all that the flags choose.
func (c *letterCommand) each(ctx context.Context, origins []bus.Position, do func(*bus.Letter) error) error {
	if c.all {
		return c.letters(ctx, do)
	}
	return c.find(ctx, origins, do)
}

// find reads the letters of the origins that a person named. Of a topic that was made anew,
// the origins of the one that is there now come first.
func (c *letterCommand) find(ctx context.Context, origins []bus.Position, each func(*bus.Letter) error) error {
	found := map[bus.Position]*bus.Letter{}
	err := c.letters(ctx, func(l *bus.Letter) error {
		at := l.Input
		at.TopicID = bus.TopicID{}
		if !slices.Contains(origins, at) {
			return nil
		}
		if old := found[at]; old == nil || c.current(l) {
			found[at] = l
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, at := range origins {
		l := found[at]
		if l == nil {
			return fmt.Errorf("there is no dead letter of %s: millrace deadletters list has all; they are kept for %s (topics.keep_dead_letters)", at, c.cfg.Topics.KeepDeadLetters)
		}
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}

// current says whether a letter is of the topic that is there now.
func (c *letterCommand) current(l *bus.Letter) bool {
	topic, err := c.bus.Topic(l.Input.Topic)
	return err == nil && topic.ID == l.Origin.TopicID
}

// listed is a letter as list prints it.
type listed struct {
	Origin      string    `json:"origin"`
	TopicID     string    `json:"topic_id"`
	Reason      string    `json:"reason"`
	Attempt     int       `json:"attempt"`
	Timestamp   time.Time `json:"timestamp"`
	Key         []byte    `json:"key,omitempty"` // base64: it may be any bytes
	ContentType string    `json:"content_type,omitempty"`
	KeyBytes    int       `json:"key_bytes"`
	ValueBytes  int       `json:"value_bytes"`
	Cut         bool      `json:"cut"`
	Status      string    `json:"status"`
}

func (c *letterCommand) list(ctx context.Context) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	var all []listed
	err := c.letters(ctx, func(l *bus.Letter) error {
		all = append(all, listed{
			Origin: l.Input.String(), TopicID: l.Origin.TopicID.String(), Reason: l.Reason, Attempt: l.Attempt, Timestamp: l.Timestamp,
			Key: l.Key, ContentType: l.ContentType, KeyBytes: l.KeyBytes, ValueBytes: l.ValueBytes, Cut: l.Cut(), Status: c.status(l),
		})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b listed) int { return a.Timestamp.Compare(b.Timestamp) })
	if c.json {
		e := json.NewEncoder(c.w)
		for _, l := range all {
			if err := e.Encode(l); err != nil {
				return fmt.Errorf("print letters: %w", err)
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.w, "there is no dead letter")
		return err
	}
	rows := make([][]string, len(all))
	for i, l := range all {
		size := "unknown"
		if l.ValueBytes >= 0 {
			size = console.Bytes(int64(l.ValueBytes))
		}
		rows[i] = []string{l.Origin, l.Timestamp.UTC().Format(time.DateTime), orDash(l.Reason), console.Count(int64(l.Attempt)), size, console.Cut(console.Clean(string(l.Key)), 30), l.Status}
	}
	right := func(title string) console.Column { return console.Column{Title: title, Right: true} }
	return console.Table(c.w, []console.Column{{Title: "ORIGIN"}, {Title: "SENT (UTC)"}, {Title: "REASON"}, right("ATTEMPT"), right("SIZE"), {Title: "KEY"}, {Title: "STATUS"}}, rows)
}

func (c *letterCommand) show(ctx context.Context, at bus.Position) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	return c.find(ctx, []bus.Position{at}, func(l *bus.Letter) error {
		if c.raw {
			_, err := c.w.Write(l.Value)
			return err
		}
		var b strings.Builder
		line := func(name, format string, args ...any) {
			fmt.Fprintf(&b, "%-13s %s\n", name, console.Clean(fmt.Sprintf(format, args...)))
		}
		line("origin", "%s, topic id %s", l.Input, l.Origin.TopicID)
		line("reason", "%s", orDash(l.Reason))
		line("attempt", "%d", l.Attempt)
		line("sent", "%s", l.Timestamp.UTC().Format(time.RFC3339Nano))
		line("key", "%q", l.Key)
		line("content type", "%s", orDash(l.ContentType))
		line("letter", "%s/%d:%d", l.At.Topic, l.At.Partition.Partition, l.At.Offset)
		line("status", "%s", c.status(l))
		if m, ok, err := deadletters.Get(ctx, c.objects, deadletters.Replayed, deadletters.IDOf(l.Origin)); err == nil && ok {
			line("replay", "%s, %s", m.As, m.At.UTC().Format(time.DateTime))
		}
		switch {
		case l.ValueBytes < 0:
			line("value", "its batch could not be unpacked")
		case l.Cut():
			line("value", "%d bytes, of which the letter holds %d; key %d bytes, %d", l.ValueBytes, len(l.Value), l.KeyBytes, len(l.Key))
		default:
			line("value", "%d bytes", l.ValueBytes)
		}
		_, err := fmt.Fprintf(c.w, "%s\n%s", b.String(), readableBytes(l.Value))
		return err
	})
}

// readableBytes is text as it is, without what would move a terminal's cursor, and a dump
// of anything else.
func readableBytes(value []byte) string {
	if !utf8.Valid(value) || slices.ContainsFunc(value, func(c byte) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' }) {
		return hex.Dump(value)
	}
	var b strings.Builder
	for line := range strings.Lines(string(value)) {
		b.WriteString(console.Clean(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}

// mark is what this person does now.
func mark() deadletters.Mark {
	m := deadletters.Mark{At: time.Now().UTC()}
	if u, err := user.Current(); err == nil {
		m.By = u.Username
	}
	return m
}

func (c *letterCommand) drop(ctx context.Context, origins []bus.Position) error {
	if err := c.load(ctx); err != nil {
		return err
	}
	n := 0
	drop := func(l *bus.Letter) error {
		if c.all && c.status(l) != "open" {
			return nil
		}
		n++
		return deadletters.Set(ctx, c.objects, deadletters.Dropped, deadletters.IDOf(l.Origin), mark())
	}
	if err := c.each(ctx, origins, drop); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.w, "%s dropped\n", console.Count(int64(n)))
	return err
}

// resume says that a person has looked at all that the inputs hold now.
func (c *letterCommand) resume(ctx context.Context) error {
	for _, spec := range c.cfg.Topics.Specs() {
		if !spec.Input || c.topic != "" && spec.Name != c.topic {
			continue
		}
		topic, err := c.bus.Topic(spec.Name)
		if err != nil {
			return err
		}
		ends, err := c.bus.Ends(ctx, spec.Name)
		if err != nil {
			return err
		}
		for n, end := range ends {
			err := deadletters.Resume(ctx, c.objects, deadletters.ID{TopicID: topic.ID, Partition: n, Offset: end}, mark())
			if err != nil && !errors.Is(err, objstore.ErrExists) {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(c.w, "what is dead up to now stops no stage; one that was stopped goes on within 15 seconds")
	return err
}
