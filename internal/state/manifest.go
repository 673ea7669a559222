package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/record"
	"github.com/cockroachdb/pebble/vfs"
	"github.com/cockroachdb/pebble/vfs/atomicfs"
)

// errManifest says that the list of the store's files is older than its logs.
var errManifest = errors.New("its manifest is damaged")

// checkManifest reads the store's list of files before the store does.
//
// The store takes a record of it that it cannot read for the list's end: a crash leaves
// such a one, behind which nothing has been done. Where it is the disk's doing, much has:
// the logs whose content is in tables that the rest of the list names are gone, and the
// store would open with the newest log on top of old tables, a state that never was. So
// the oldest log that the list wants must be there; logs are removed, or used again under
// another name, from the oldest on.
func checkManifest(on vfs.FS, dir string) error {
	name, err := atomicfs.ReadMarker(on, dir, "manifest")
	if errors.Is(err, fs.ErrNotExist) || err == nil && name == "" {
		return nil // there is no store yet
	}
	if err != nil {
		return err
	}
	f, err := on.Open(on.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	log, err := oldestLog(record.NewReader(f, 0))
	if err != nil || log == 0 {
		return err
	}
	if _, err := on.Stat(on.PathJoin(dir, fmt.Sprintf("%06d.log", log))); err != nil {
		return fmt.Errorf("%w: %s wants the log %06d: %w", errManifest, name, log, err)
	}
	return nil
}

// oldestLog is the number of the oldest log that is not in the tables yet, as the readable
// part of a manifest gives it, or 0.
func oldestLog(records *record.Reader) (log uint64, err error) {
	for {
		var edit []byte
		r, err := records.Next()
		if err == nil {
			edit, err = io.ReadAll(r)
		}
		if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) {
			return log, nil
		}
		if err != nil {
			return 0, err
		}
		if n := oldestLogOf(edit); n > 0 {
			log = n
		}
	}
}

// Tags of the fields that a record of the manifest begins with, those that come before
// its files, each followed by one number, the first by a name.
const (
	tagComparer   = 1
	tagOldestLog  = 2
	tagNextFile   = 3
	tagLastSeqNum = 4
	tagPrevLog    = 9
)

// oldestLogOf is that number as one record gives it, or 0.
func oldestLogOf(edit []byte) uint64 {
	r := bytes.NewReader(edit)
	for {
		tag, err := binary.ReadUvarint(r)
		if err != nil {
			return 0
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return 0
		}
		switch tag {
		case tagOldestLog:
			return n
		case tagComparer:
			if _, err := r.Seek(int64(n), io.SeekCurrent); err != nil {
				return 0
			}
		case tagNextFile, tagLastSeqNum, tagPrevLog:
		default:
			return 0
		}
	}
}
