package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		text = b.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func corpus(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, "a.jsonl", "{\"text\":\"one\"}\n\n{\"txt\":\"two\"}\n{\"id\":\"mine\",\"text\":\"three\",\"source\":\"s\"}\n")
	write(t, dir, "b.csv", "text,label,room\nfour,x,12\n\"five,\",y,\n")
	write(t, dir, "c/mail.eml", "Received: by x; Tue, 24 Sep 2002 10:00:00 +0000\nDate: Mon, 1 Jan 2029 00:00:00 +0000\nSubject: s\n\nbody\n")
	write(t, dir, "d.mbox", "From a Mon\nSubject: s1\n\nb1\nFrom b Tue\nSubject: s2\n\n>From quoted\n")
	write(t, dir, "e.txt.gz", "plain")
	return dir
}

func TestItems(t *testing.T) {
	f := Files{Paths: []string{corpus(t)}, Kind: schemas.KindText, Source: "files", ExtraToAttributes: true}
	var places []string
	var bad []*BadItem
	ids := map[string]bool{}
	for i, err := range f.Items() {
		var b *BadItem
		if errors.As(err, &b) {
			bad = append(bad, b)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, i.Place)
		ids[i.Event.Env().EventID] = true
		text := i.Event.(*schemas.Text)
		switch i.Place {
		case "a.jsonl:4":
			if text.EventID != "mine" || text.Source != "s" {
				t.Errorf("%+v", text)
			}
		case "b.csv:2":
			if text.Text != "four" || text.Label != "x" || text.Attributes["room"] != "12" || text.Source != "files" {
				t.Errorf("%+v", text)
			}
		case "c/mail.eml":
			if text.ContentType != "message/rfc822" || text.EventTime.String()[:10] != "2002-09-24" {
				t.Errorf("%s %s", text.ContentType, text.EventTime)
			}
		}
	}
	if got := strings.Join(places, " "); got != "a.jsonl:1 a.jsonl:4 b.csv:2 b.csv:3 c/mail.eml d.mbox:1 d.mbox:2 e.txt.gz" || len(ids) != 8 {
		t.Fatalf("got %s, %d ids", got, len(ids))
	}
	if len(bad) != 1 || bad[0].Place != "a.jsonl:3" || !strings.Contains(bad[0].Error(), "txt") {
		t.Fatalf("bad: %v", bad)
	}
	f.After = "c/mail.eml"
	places = nil
	for i, err := range f.Items() {
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, i.Place)
	}
	if got := strings.Join(places, " "); got != "d.mbox:1 d.mbox:2 e.txt.gz" {
		t.Fatalf("resumed at %s", got)
	}
}

// TestRun imports, is cut off and begins again: every event is there, under one id.
func TestRun(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, bus.RawText))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, err := client.New(cluster.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	f := Files{Paths: []string{corpus(t)}, Kind: schemas.KindText, ExtraToAttributes: true}
	ctx, cancel := context.WithCancel(t.Context())
	ids := map[string]int{}
	deps := Deps{Client: c, Bad: func(*BadItem) {}, Acknowledged: func(i Item, p bus.Position) {
		ids[i.Event.Env().EventID]++
		if len(ids) == 3 {
			cancel()
		}
	}}
	if p, err := Run(ctx, Config{MaxInFlight: 1}, deps, f.Items()); err == nil || p.Events < 3 {
		t.Fatalf("the cut import ended with %+v, %v", p, err)
	}
	p, err := Run(t.Context(), Config{MaxInFlight: 100, Rate: 1e6}, deps, f.Items())
	if err != nil || p.Events != 8 || p.Bad != 1 || p.Last != "e.txt.gz" || len(ids) != 8 {
		t.Fatalf("got %+v, %v, %d ids", p, err, len(ids))
	}
	if _, err := Run(t.Context(), Config{MaxInFlight: 1, Strict: true}, deps, f.Items()); err == nil || !strings.Contains(err.Error(), "a.jsonl:3") {
		t.Fatalf("a strict import gave %v", err)
	}
}

// TestRunTells acknowledges as it goes: an import that is slow is told of before it has
// read all, and one that is cut off knows all that was acknowledged.
func TestRunTells(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, bus.RawText))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, err := client.New(cluster.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	const all = 30
	item := func(n int) Item {
		return Item{Event: &schemas.Text{Text: "a text"}, Place: fmt.Sprintf("f:%d", n)}
	}
	given, first := 0, 0
	slow := func(yield func(Item, error) bool) {
		for given = 1; given <= all; given++ {
			if !yield(item(given), nil) {
				return
			}
		}
	}
	told := func(p Progress) {
		if first == 0 {
			first = given
		}
	}
	p, err := Run(t.Context(), Config{MaxInFlight: 1000, Rate: 60}, Deps{Client: c, Progress: told}, slow)
	if err != nil || p.Events != all || first > all/2 {
		t.Errorf("a slow import: %d of %d events were read when the first was told of; %+v, %v", first, all, p, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut := func(yield func(Item, error) bool) {
		for n := 1; n <= all; n++ {
			if !yield(item(n), nil) {
				return
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		cancel()
		yield(item(all+1), nil)
	}
	p, err = Run(ctx, Config{MaxInFlight: 1000}, Deps{Client: c}, cut)
	if !errors.Is(err, context.Canceled) || p.Events < all || p.Last != fmt.Sprintf("f:%d", p.Events) {
		t.Errorf("an import that was cut off behind %d acknowledged events told %+v, %v", all, p, err)
	}
}
