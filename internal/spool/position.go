package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/segmentio/ksuid"
)

// position is the file that says what was confirmed: two slots, a page each, that are
// written in turn and in place. So one of them is whole after any crash, and moving it on
// needs no room on a full disk, where what it allows to be removed is what makes room.
type position struct {
	fs    vfs.FS
	path  string
	file  vfs.File
	slot  int64
	saved uint64
	// durable says that saved is on the disk; what another process has written may not be.
	durable bool
}

const (
	positionName  = "position"
	positionMagic = "MRPOS001"
	positionBytes = 20
)

func (s *Spool) openPosition() (*position, error) {
	p := &position{fs: s.fs, path: s.path(positionName)}
	f, err := s.fs.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sound := false
	for slot := range int64(2) {
		b := make([]byte, positionBytes)
		if _, err := f.ReadAt(b, slot*page); err != nil {
			continue // it was never written, or cannot be read: the other one counts
		}
		if string(b[:8]) == positionMagic && little.Uint32(b[16:]) == crc32.Checksum(b[:16], checks) && little.Uint64(b[8:]) >= p.saved {
			p.saved, p.slot, sound = little.Uint64(b[8:]), 1-slot, true
		}
	}
	if !sound {
		s.log.Warn("the spool's position cannot be read: all that it holds is sent again", "file", p.path)
		return p, nil
	}
	p.file, err = s.fs.OpenReadWrite(p.path)
	return p, err
}

// save makes a position durable.
func (p *position) save(confirmed uint64) error {
	if confirmed == p.saved && (p.durable || confirmed == 0) {
		return nil
	}
	err := p.write(confirmed)
	if err != nil {
		// As in a segment, what an fsync failed on is not synced again: the next one is to
		// another file.
		err = errors.Join(fmt.Errorf("save %s: %w", p.path, err), p.close())
		p.file = nil
		return err
	}
	p.saved, p.slot, p.durable = confirmed, 1-p.slot, true
	return nil
}

func (p *position) write(confirmed uint64) error {
	b := make([]byte, positionBytes)
	copy(b, positionMagic)
	little.PutUint64(b[8:], confirmed)
	little.PutUint32(b[16:], crc32.Checksum(b[:16], checks))
	if p.file != nil {
		if _, err := p.file.WriteAt(b, p.slot*page); err != nil {
			return err
		}
		return p.file.Sync()
	}
	both := make([]byte, 2*page)
	copy(both, b)
	copy(both[page:], b)
	if err := createFile(p.fs, p.path, both); err != nil {
		return err
	}
	var err error
	p.file, err = p.fs.OpenReadWrite(p.path)
	return err
}

func (p *position) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// createFile puts a file in place whole, or not at all.
func createFile(fs vfs.FS, path string, data []byte) error {
	temp := path + ".tmp"
	f, err := fs.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = fs.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(path))
}

// identity reads the spool's name, and makes it where there is none.
func (s *Spool) identity() (string, error) {
	path := s.path("id")
	f, err := s.fs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		id := ksuid.New().String()
		return id, createFile(s.fs, path, []byte(id+"\n"))
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return "", err
	}
	id, err := ksuid.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return "", fmt.Errorf("%s is not the spool's id: %w; restore it, or remove it and the spool gets another", path, err)
	}
	return id.String(), nil
}

// keep saves the position and removes what is done with, until the spool is closed.
func (s *Spool) keep() {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.tidy:
		case <-tick.C:
		}
		if err := s.tidyUp(); err != nil {
			s.log.Warn("the spool's position is not saved, or a segment not removed; tried again in a moment", "dir", s.cfg.Dir, "error", err)
		}
	}
}

// tidyUp saves the position, then removes the segments that lie before it. The order
// matters: a segment that is gone while the position lies in it would seem lost.
func (s *Spool) tidyUp() error {
	s.mu.Lock()
	confirmed := s.confirmed
	s.mu.Unlock()
	if err := s.position.save(confirmed); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		var g *segment
		if len(s.segments) > 1 && s.segments[1].first <= confirmed+1 {
			g = s.segments[0]
		}
		s.mu.Unlock()
		if g == nil {
			return nil
		}
		if err := s.fs.Remove(s.path(g.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", g.name, err)
		}
		s.mu.Lock()
		s.segments = s.segments[1:]
		s.announce()
		s.mu.Unlock()
	}
}
