package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/vfs"
)

// segment is a file of the spool. It holds the records from first to where the next one
// begins, the last one to where the spool ends.
type segment struct {
	name  string
	first uint64
	nonce uint64 // 0 where its header cannot be read; its first batch then tells
	size  int64  // of the file; of one that is written to, what is durable; under Spool.mu
	// synced says that what is read from it is on the disk. The committer's.
	synced bool
	// kept says that it has a second name, under which it stays. The reader's.
	kept bool
}

const (
	segmentSuffix = ".spool"
	// damagedSuffix ends the second name of a segment in which something cannot be read.
	damagedSuffix = ".damaged"
)

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// findSegments lists the segments and finds where the last one ends.
func (s *Spool) findSegments() error {
	names, err := s.fs.List(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, damagedSuffix) {
			s.kept++
		}
		number, ok := strings.CutSuffix(name, segmentSuffix)
		first, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil {
			continue
		}
		g := &segment{name: name, first: first}
		if err := s.look(g); err != nil {
			return err
		}
		s.segments = append(s.segments, g)
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	s.next = s.confirmed + 1
	if len(s.segments) == 0 {
		return nil
	}
	last := s.segments[len(s.segments)-1]
	end, sound, err := s.findEnd(last)
	if err != nil {
		return err
	}
	s.next = max(s.next, end)
	if !sound {
		// A torn write looks so where the disk wrote its pages in another order, and so do
		// acknowledged records that the disk damaged: it stays for whoever wants to know.
		s.log.Warn("the end of the spool's last segment cannot be read; it is kept", "segment", s.path(last.name), "as", last.name+damagedSuffix)
		return s.keepDamaged(last)
	}
	return nil
}

// look reads what a segment's first page says.
func (s *Spool) look(g *segment) error {
	f, err := s.fs.Open(s.path(g.name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	g.size = info.Size()
	b := make([]byte, segmentHeader)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil // it was being made, or is damaged: its name says where it begins
	}
	if first, nonce, ok := parseSegmentHead(b); ok && first == g.first {
		g.nonce = nonce
	}
	return nil
}

// findEnd walks through the batches of the last segment. It returns the number behind the
// last record, and whether what follows is no more than what a write that was cut short
// leaves: nothing, zeros, or a batch without its end.
func (s *Spool) findEnd(g *segment) (end uint64, sound bool, err error) {
	f, err := s.fs.Open(s.path(g.name))
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	w := walk{file: f, nonce: &g.nonce, size: g.size, at: page}
	for end = g.first; ; {
		h, err := w.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errCut) {
			return end, !w.skipped, nil
		}
		if err != nil {
			continue // read it again
		}
		if h.first >= end { // what is missing before it is found by who reads
			end, w.skipped = h.end(), false
		}
		w.at += h.size()
	}
}

// walk finds batches in a segment.
type walk struct {
	file  vfs.File
	nonce *uint64
	size  int64
	at    int64 // where the next batch is looked for; a page's begin
	// skipped says that something was passed over that is neither a batch nor zeros.
	skipped bool
	// failed counts reads that failed without one between that did not.
	failed int
}

// readTries bounds how often a read that fails is tried before its bytes are taken to be
// damaged.
const readTries = 5

// next returns the header of the batch that begins at w.at or at the first page behind it
// where one does, and leaves w.at there. io.EOF tells that there is none, errCut that the
// file ends within it. Any other error is a read's: the next call tries again.
func (w *walk) next() (head, error) {
	b := make([]byte, page)
	for w.at < w.size {
		n, err := w.read(b, w.at)
		if err != nil && !errors.Is(err, io.EOF) {
			return head{}, err
		}
		if h, err := parseHead(b[:n]); err == nil && (*w.nonce == 0 || h.nonce == *w.nonce) {
			if *w.nonce == 0 {
				*w.nonce = h.nonce
			}
			if w.at+batchHeader+int64(h.length) > w.size {
				return h, errCut
			}
			return h, nil
		}
		// The begin of a header, with the file's end behind it, is what a write left too.
		if !zeros(b[:n]) && n >= batchHeader {
			w.skipped = true
		}
		w.at += page
	}
	return head{}, io.EOF
}

func zeros(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// read fills b, or reads up to the file's end and returns io.EOF. What cannot be read
// however often it is tried is read as zeros.
func (w *walk) read(b []byte, at int64) (int, error) {
	n, err := w.file.ReadAt(b, at)
	if err == nil || errors.Is(err, io.EOF) {
		w.failed = 0
		return n, err
	}
	if w.failed++; w.failed < readTries {
		return n, err
	}
	w.skipped = true
	clear(b)
	return len(b), nil
}

// keepDamaged gives a segment a second name, which nothing removes.
func (s *Spool) keepDamaged(g *segment) error {
	if g.kept {
		return nil
	}
	err := s.fs.Link(s.path(g.name), s.path(g.name+damagedSuffix))
	fresh := err == nil
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = syncDir(s.fs, s.cfg.Dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // somebody took the file away: there is nothing to keep
	}
	if err != nil {
		return fmt.Errorf("spool: keep the damaged segment %s: %w", g.name, err)
	}
	g.kept = true
	if fresh {
		s.mu.Lock()
		s.kept++
		s.mu.Unlock()
	}
	return nil
}
