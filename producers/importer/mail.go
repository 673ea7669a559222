package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/schemas"
)

// mbox cuts a mailbox at lines that begin with "From ", which quoted ones do not.
func (f file) mbox(in io.Reader, emit func(Item, error) bool) bool {
	lines := newLines(in)
	var mail []byte
	var size int64 // of the mail, which may be more than is kept of it
	n := 0
	flush := func() bool {
		if size == 0 {
			return true
		}
		n++
		at := fmt.Sprintf(":%d", n)
		if size > maxRecord {
			return emit(Item{}, &BadItem{f.name + at, fmt.Errorf("the mail has %d bytes, the limit is %d", size, maxRecord), size})
		}
		return emit(f.whole(at, slices.Clone(mail), true), nil)
	}
	for {
		line, length, err := lines.next()
		if bytes.HasPrefix(line, []byte("From ")) {
			if !flush() {
				return false
			}
			mail, size = mail[:0], 0
		} else {
			mail = append(mail, line[:min(len(line), maxRecord-len(mail))]...)
			size += length
		}
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return emit(Item{}, &BadItem{fmt.Sprintf("%s:%d", f.name, n+1), err, size})
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
