package importer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace-io/millrace/schemas"
)

// Format of files.
type Format string

// The formats.
const (
	JSONL Format = "jsonl" // an event a line
	CSV   Format = "csv"   // a header row, then an event a row
	Mail  Format = "mail"  // a mail a file
	Mbox  Format = "mbox"  // mails in one file, each behind a "From " line
	Plain Format = "text"  // a text a file
)

// Files says what to read and what to make of it.
type Files struct {
	// Paths are files and folders; "-" is standard input.
	Paths []string
	// Format; empty to go by the name: .jsonl, .csv, .eml, .mbox, .txt, each with .gz.
	Format Format
	// Kind of the events of JSONL and CSV.
	Kind schemas.Kind
	// Source, License, Purpose, Label and ContentType are given to events without them.
	Source, License, Purpose, Label, ContentType string
	// ExtraToAttributes puts unknown CSV columns into attributes.
	ExtraToAttributes bool
	// After skips all up to and with this place, where an import was cut off.
	After string
}

// maxRecord bounds what of a file may become one event: a line, a row, a mail, a text.
// What is longer is one bad record, and is never held as a whole.
const maxRecord = 8 << 20

// Size adds up the files, compressed as they lie; 0 where it is not known.
func (f Files) Size() int64 {
	var total int64
	for _, p := range f.Paths {
		_ = filepath.WalkDir(p, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
			return nil
		})
	}
	return total
}

// Items yields the events of all files, in the order of their names.
func (f Files) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		skipping := f.After != ""
		emit := func(i Item, err error) bool {
			if skipping {
				place := i.Place
				var bad *BadItem
				if errors.As(err, &bad) {
					place = bad.Place
				}
				skipping = place != f.After
				return true
			}
			return yield(i, err)
		}
		for _, root := range f.Paths {
			if !f.walk(root, emit) {
				return
			}
		}
		if skipping {
			yield(Item{}, fmt.Errorf("importer: %s is not among the files: the import that is resumed was of others", f.After))
		}
	}
}

func (f Files) walk(root string, emit func(Item, error) bool) bool {
	if root == "-" {
		return file{Files: f, name: "-", path: "-"}.read(os.Stdin, emit)
	}
	info, err := os.Stat(root)
	if err != nil {
		return emit(Item{}, fmt.Errorf("importer: %w", err))
	}
	if !info.IsDir() {
		return f.open(root, filepath.Base(root), emit)
	}
	goOn := true
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if goOn = f.open(path, filepath.ToSlash(rel), emit); !goOn {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return emit(Item{}, fmt.Errorf("importer: %w", err))
	}
	return goOn
}

func (f Files) open(path, name string, emit func(Item, error) bool) bool {
	in, err := os.Open(path)
	if err != nil {
		return emit(Item{}, fmt.Errorf("importer: %w", err))
	}
	defer in.Close()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return emit(Item{}, fmt.Errorf("importer: %w", err))
	}
	return file{Files: f, name: name, path: absolute}.read(in, emit)
}

// file is one file of an import.
type file struct {
	Files
	// name is the path below what was named to be imported; places begin with it.
	name string
	// path is absolute and clean, "-" for standard input; ids are made of it.
	path string
}

func (f file) read(in io.Reader, emit func(Item, error) bool) bool {
	format := f.Format
	if format == "" {
		format = formatOf(strings.TrimSuffix(f.path, ".gz"))
	}
	if strings.HasSuffix(f.path, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return emit(Item{}, &BadItem{Place: f.name, Reason: fmt.Errorf("not gzip: %w", err)})
		}
		in = z
	}
	switch format {
	case JSONL:
		return f.jsonl(in, emit)
	case CSV:
		return f.csv(in, emit)
	case Mbox:
		return f.mbox(in, emit)
	case Mail, Plain:
		data, err := io.ReadAll(io.LimitReader(in, maxRecord+1))
		switch {
		case err != nil:
			return emit(Item{}, &BadItem{Place: f.name, Reason: err})
		case len(data) > maxRecord:
			return emit(Item{}, &BadItem{Place: f.name, Reason: fmt.Errorf("the file has more than %d bytes", maxRecord), Bytes: maxRecord})
		}
		return emit(f.whole("", data, format == Mail), nil)
	}
	return emit(Item{}, fmt.Errorf("importer: %s is of no known format: name one of jsonl, csv, mail, mbox, text", f.path))
}

func formatOf(path string) Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson", ".json":
		return JSONL
	case ".csv":
		return CSV
	case ".eml":
		return Mail
	case ".mbox":
		return Mbox
	case ".txt", ".md", ".html":
		return Plain
	}
	return ""
}

// id of an event without one: a hash of the file's absolute path, of the place in it
// (":" and the number of the line or the mail; nothing for a file that is one event) and
// of the bytes that the event was made of. So an import that is repeated, from whichever
// folder, gives the same ids, and files of one name in two folders give different ones.
// A file that was moved is another file. Standard input is "-" whatever it is.
func (f file) id(at string, content []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", f.path, at)
	h.Write(content)
	return "imp-" + hex.EncodeToString(h.Sum(nil)[:12])
}

// complete gives m what the import says of all its events, and an id. at is its place
// in the file.
func (f file) complete(m schemas.Message, at string, content []byte) {
	env := m.Env()
	for _, d := range []struct {
		to   *string
		from string
	}{{&env.Source, f.Source}, {&env.License, f.License}, {&env.Purpose, f.Purpose}} {
		if *d.to == "" {
			*d.to = d.from
		}
	}
	if env.EventID == "" {
		env.EventID = f.id(at, content)
	}
	if t, ok := m.(*schemas.Text); ok {
		if t.Label == "" {
			t.Label = f.Label
		}
		if t.ContentType == "" {
			t.ContentType = f.ContentType
		}
	}
}

// whole makes one text of data, which it keeps.
func (f file) whole(at string, data []byte, isMail bool) Item {
	t := &schemas.Text{Data: data}
	if isMail {
		t.ContentType = "message/rfc822"
		t.EventTime = mailTime(data)
	}
	f.complete(t, at, data)
	return Item{Event: t, Place: f.name + at, Bytes: int64(len(data))}
}

func (f file) jsonl(in io.Reader, emit func(Item, error) bool) bool {
	lines := newLines(in)
	for n := 1; ; n++ {
		line, size, err := lines.next()
		ended := errors.Is(err, io.EOF)
		at := fmt.Sprintf(":%d", n)
		if err != nil && !ended {
			return emit(Item{}, &BadItem{f.name + at, err, size})
		}
		if len(bytes.TrimSpace(line)) > 0 && !emit(f.line(at, line, size)) {
			return false
		}
		if ended {
			return true
		}
	}
}

// line makes an event of a line of JSON of size bytes, or a *BadItem.
func (f file) line(at string, line []byte, size int64) (Item, error) {
	if size > maxRecord {
		return Item{}, &BadItem{f.name + at, fmt.Errorf("the line has %d bytes, the limit is %d", size, maxRecord), size}
	}
	line = bytes.TrimRight(line, "\r\n")
	m := schemas.New(f.Kind)
	if err := m.DecodeJSON(line); err != nil {
		return Item{}, &BadItem{f.name + at, err, size}
	}
	f.complete(m, at, line)
	return Item{Event: m, Place: f.name + at, Bytes: size}, nil
}
