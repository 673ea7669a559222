package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
	"github.com/millrace-io/millrace/trainers/classifier"
)

// labelled is a text with its right answer.
type labelled struct{ text, label string }

// corpus is split once; what is chosen is chosen on val, what is told is of test.
type corpus struct {
	name             string
	train, val, test []labelled
}

// corpora are those that this machine has.
func corpora(o options) ([]corpus, error) {
	var all []corpus
	questions, err := readCLINC(filepath.Join(o.data, "clinc150_full.json.gz"))
	if err != nil {
		return nil, err
	}
	mails, err := readMails(o.cache)
	if err != nil {
		return nil, err
	}
	for _, c := range []*corpus{questions, mails} {
		if c != nil {
			all = append(all, *c)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: there is neither %s nor the demo's mails in %s", errSkip, filepath.Join(o.data, "clinc150_full.json.gz"), o.cache)
	}
	return all, nil
}

// readCLINC reads the questions in 150 intents; nil where they are not there.
func readCLINC(path string) (*corpus, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		fmt.Printf("classifier: %s is absent, its questions are left out\n\n", path)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var data struct{ Train, Val, Test [][2]string }
	if err := json.NewDecoder(z).Decode(&data); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	pairs := func(in [][2]string) []labelled {
		out := make([]labelled, len(in))
		for i, p := range in {
			out[i] = labelled{tokens(p[0]), p[1]}
		}
		return out
	}
	return &corpus{"CLINC150 questions", pairs(data.Train), pairs(data.Val), pairs(data.Test)}, nil
}

// readMails reads the demo's mails as the clean stage makes them: 8 parts in 10 to train,
// one each for val and test, by a hash of the name. nil where they are not there.
func readMails(cache string) (*corpus, error) {
	found, err := filepath.Glob(filepath.Join(cache, "spam-assassin-*", "data"))
	if err != nil || len(found) == 0 {
		fmt.Printf("classifier: there are no mails in %s (make deps), they are left out\n\n", cache)
		return nil, err
	}
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		return nil, err
	}
	c := &corpus{name: "mails"}
	err = filepath.WalkDir(found[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".txt" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		in, out := schemas.Text{Data: raw, ContentType: "message/rfc822"}, schemas.CleanText{Envelope: schemas.Envelope{ArrivedAt: arrivedAt}}
		if v := r.Text(&in, &out); !v.Clean() {
			return nil
		}
		label := "mail"
		if strings.HasPrefix(filepath.Base(filepath.Dir(path)), "spam") {
			label = "spam"
		}
		h := fnv.New32a()
		h.Write([]byte(d.Name()))
		to := &c.train
		switch h.Sum32() % 10 {
		case 0:
			to = &c.val
		case 1:
			to = &c.test
		}
		*to = append(*to, labelled{tokens(out.Text), label})
		return nil
	})
	return c, err
}

// tokens spells a text as both contestants read it alike: lower case, a blank around
// every word and every run of one sign, no more than Millrace reads.
func tokens(text string) string {
	var b strings.Builder
	for n, i := 0, 0; i < len(text) && n < classifier.DefaultConfig().MaxTokens; {
		c, size := utf8.DecodeRuneInString(text[i:])
		end := i + size
		word := unicode.IsLetter(c) || unicode.IsDigit(c)
		for end < len(text) {
			next, s := utf8.DecodeRuneInString(text[end:])
			if word != (unicode.IsLetter(next) || unicode.IsDigit(next)) && (!word || next != '\'' && !unicode.IsMark(next)) || !word && next != c {
				break
			}
			end += s
		}
		if !unicode.IsSpace(c) {
			if n++; n > 1 {
				b.WriteByte(' ')
			}
			b.WriteString(strings.ToLower(text[i:end]))
		}
		i = end
	}
	return b.String()
}

// words of texts.
func words(all []labelled) (n int) {
	for i := range all {
		n += strings.Count(all[i].text, " ") + 1
	}
	return n
}

const labelPrefix = "__label__"

// writeLines writes one text a line, fastText's way; times over, with its label or
// without.
func writeLines(path string, all []labelled, times int, labels bool) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for range times {
		for i := range all {
			if labels {
				fmt.Fprint(w, labelPrefix, all[i].label, " ")
			}
			fmt.Fprintln(w, all[i].text)
		}
	}
	return w.Flush()
}

// readLines reads what writeLines wrote.
func readLines(path string) ([]labelled, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []labelled
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		var l labelled
		if rest, ok := strings.CutPrefix(line, labelPrefix); ok {
			l.label, line, _ = strings.Cut(rest, " ")
		}
		l.text = line
		all = append(all, l)
	}
	return all, nil
}
