package importer

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
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

// maxLine bounds a line, and maxFile a file that is one event.
const (
	maxLine = 8 << 20
	maxFile = 8 << 20
)

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
		return f.file("-", "-", os.Stdin, emit)
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
	file, err := os.Open(path)
	if err != nil {
		return emit(Item{}, fmt.Errorf("importer: %w", err))
	}
	defer file.Close()
	return f.file(path, name, file, emit)
}

func (f Files) file(path, name string, in io.Reader, emit func(Item, error) bool) bool {
	format := f.Format
	plain := strings.TrimSuffix(path, ".gz")
	if format == "" {
		format = formatOf(plain)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return emit(Item{}, &BadItem{Place: name, Reason: fmt.Errorf("not gzip: %w", err)})
		}
		in = z
	}
	switch format {
	case JSONL:
		return f.jsonl(name, in, emit)
	case CSV:
		return f.csv(name, in, emit)
	case Mbox:
		return f.mbox(name, in, emit)
	case Mail, Plain:
		data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
		switch {
		case err != nil:
			return emit(Item{}, &BadItem{Place: name, Reason: err})
		case len(data) > maxFile:
			return emit(Item{}, &BadItem{Place: name, Reason: fmt.Errorf("the file has more than %d bytes", maxFile), Bytes: maxFile})
		}
		return emit(f.whole(name, data, format == Mail), nil)
	}
	return emit(Item{}, fmt.Errorf("importer: %s is of no known format: name one of jsonl, csv, mail, mbox, text", path))
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

// id of an event without one: a function of where it stands and what it says.
func id(place string, content []byte) string {
	h := sha256.New()
	h.Write([]byte(place))
	h.Write([]byte{0})
	h.Write(content)
	return "imp-" + hex.EncodeToString(h.Sum(nil)[:12])
}

func (f Files) complete(m schemas.Message, place string, content []byte) {
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
		env.EventID = id(place, content)
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

func (f Files) whole(name string, data []byte, isMail bool) Item {
	t := &schemas.Text{Data: data}
	if isMail {
		t.ContentType = "message/rfc822"
		t.EventTime = mailTime(data)
	}
	f.complete(t, name, data)
	return Item{Event: t, Place: name, Bytes: int64(len(data))}
}

func (f Files) jsonl(name string, in io.Reader, emit func(Item, error) bool) bool {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := lines.Bytes()
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		place := fmt.Sprintf("%s:%d", name, n)
		m := schemas.New(f.Kind)
		var goOn bool
		if err := m.DecodeJSON(line); err != nil {
			goOn = emit(Item{}, &BadItem{place, err, int64(len(line) + 1)})
		} else {
			f.complete(m, place, line)
			goOn = emit(Item{Event: m, Place: place, Bytes: int64(len(line) + 1)}, nil)
		}
		if !goOn {
			return false
		}
	}
	if err := lines.Err(); err != nil {
		return emit(Item{}, &BadItem{Place: fmt.Sprintf("%s:%d", name, n+1), Reason: err})
	}
	return true
}

func (f Files) csv(name string, in io.Reader, emit func(Item, error) bool) bool {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return emit(Item{}, &BadItem{Place: name + ":1", Reason: fmt.Errorf("no header row: %w", err)})
	}
	header = slices.Clone(header)
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return true
		}
		line, _ := r.FieldPos(0)
		place := fmt.Sprintf("%s:%d", name, line)
		if err != nil {
			if !emit(Item{}, &BadItem{Place: place, Reason: err}) {
				return false
			}
			continue
		}
		m, data, err := f.row(header, row)
		size := int64(len(data))
		if err != nil {
			if !emit(Item{}, &BadItem{place, err, size}) {
				return false
			}
			continue
		}
		f.complete(m, place, data)
		if !emit(Item{Event: m, Place: place, Bytes: size}, nil) {
			return false
		}
	}
}

// row makes an event of a CSV row by way of its JSON, which knows names and types.
func (f Files) row(header, row []string) (schemas.Message, []byte, error) {
	object, extra := map[string]any{}, map[string]string{}
	for i, v := range row {
		if i < len(header) && v != "" {
			object[header[i]] = v
		}
	}
	for {
		data, err := json.Marshal(object)
		if err != nil {
			return nil, nil, err
		}
		m := schemas.New(f.Kind)
		err = m.DecodeJSON(data)
		if err == nil {
			return m, data, nil
		}
		var wrong *schemas.FieldError
		if !f.ExtraToAttributes || !errors.As(err, &wrong) || wrong.Class != schemas.ClassUnknownField {
			return nil, data, err
		}
		v, ok := object[wrong.Field].(string)
		if !ok {
			return nil, data, err
		}
		delete(object, wrong.Field)
		extra[wrong.Field] = v
		object["attributes"] = extra
	}
}

// mbox cuts a mailbox at lines that begin with "From ", which quoted ones do not.
func (f Files) mbox(name string, in io.Reader, emit func(Item, error) bool) bool {
	r := bufio.NewReaderSize(in, 64<<10)
	var mail []byte
	n := 0
	flush := func() bool {
		if len(mail) == 0 {
			return true
		}
		n++
		place := fmt.Sprintf("%s:%d", name, n)
		if len(mail) > maxFile {
			return emit(Item{}, &BadItem{place, fmt.Errorf("the mail has more than %d bytes", maxFile), int64(len(mail))})
		}
		return emit(f.whole(place, slices.Clone(mail), true), nil)
	}
	for {
		line, err := r.ReadBytes('\n')
		if strings.HasPrefix(string(line), "From ") {
			if !flush() {
				return false
			}
			mail = mail[:0]
		} else if len(mail) <= maxFile {
			mail = append(mail, line...)
		}
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return emit(Item{}, &BadItem{Place: name, Reason: err})
		}
	}
}

// mailTime is the date of the topmost Received header, since Date headers lie; else that
// of Date, else none.
func mailTime(data []byte) schemas.Micros {
	m, err := mail.ReadMessage(strings.NewReader(string(data)))
	if err != nil {
		return 0
	}
	dates := []string{m.Header.Get("Date")}
	if r := m.Header.Get("Received"); r != "" {
		dates = slices.Insert(dates, 0, r[strings.LastIndexByte(r, ';')+1:])
	}
	for _, d := range dates {
		if t, err := mail.ParseDate(strings.TrimSpace(d)); err == nil {
			return schemas.MicrosOf(t)
		}
	}
	return 0
}
