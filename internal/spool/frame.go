package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// The form of a segment: a page with its header, then batches, each of which begins on a
// page of its own. A batch is what one fsync made durable: a header and its frames, a
// frame a record.
//
//	segment: magic 8 | first 8 | nonce 8 | crc 4
//	batch:   magic 4 | crc 4 | nonce 8 | first 8 | time 8 | salt 8 | count 4 | length 4 | frames
//	frame:   length 4 | crc 4 | record
//
// All numbers are little endian, all checks CRC32C. Since a batch begins on a new page,
// no page that holds acknowledged bytes is ever written again: a write or an fsync that
// fails cannot harm what was durable before it. It is also how reading goes on behind
// bytes that are damaged: the next batch is at the begin of some page. The nonce, random
// in each segment, is what a batch there must have, so that neither what a disk's block
// held before nor what a client wrote into an event can pass for one. The salt, random in
// each batch, does the same for its frames.
const (
	page          = 4096
	segmentHeader = 28
	batchHeader   = 48
	frameHeader   = 8
)

const (
	segmentMagic = "MRSPOOL1"
	batchMagic   = "MRB1"
)

// checks is the table of CRC32C.
var checks = crc32.MakeTable(crc32.Castagnoli)

var little = binary.LittleEndian

// Errors of the decoder.
var (
	errNoHeader = errors.New("no sound header")
	errCut      = errors.New("the batch is cut off")
)

// head is what a batch says of itself. Its records have the numbers first, first+1, …
type head struct {
	nonce  uint64
	first  uint64
	time   time.Time
	salt   uint64
	count  uint32
	length uint32 // of the frames
}

func (h head) end() uint64 { return h.first + uint64(h.count) }

// size is that of the batch in the file, with the rest of its last page.
func (h head) size() int64 { return pages(batchHeader + int64(h.length)) }

// pages rounds up to whole pages.
func pages(n int64) int64 { return (n + page - 1) / page * page }

// put writes the header into b.
func (h head) put(b []byte) {
	copy(b, batchMagic)
	little.PutUint64(b[8:], h.nonce)
	little.PutUint64(b[16:], h.first)
	little.PutUint64(b[24:], uint64(h.time.UnixMicro()))
	little.PutUint64(b[32:], h.salt)
	little.PutUint32(b[40:], h.count)
	little.PutUint32(b[44:], h.length)
	little.PutUint32(b[4:], crc32.Checksum(b[8:batchHeader], checks))
}

// parseHead reads a batch's header.
func parseHead(b []byte) (head, error) {
	if len(b) < batchHeader || string(b[:4]) != batchMagic || little.Uint32(b[4:]) != crc32.Checksum(b[8:batchHeader], checks) {
		return head{}, errNoHeader
	}
	h := head{
		nonce: little.Uint64(b[8:]), first: little.Uint64(b[16:]), time: time.UnixMicro(int64(little.Uint64(b[24:]))),
		salt: little.Uint64(b[32:]), count: little.Uint32(b[40:]), length: little.Uint32(b[44:]),
	}
	if h.count == 0 || h.first == 0 || h.end() < h.first || int64(h.length) < int64(h.count)*frameHeader {
		return head{}, errNoHeader
	}
	return h, nil
}

// appendFrame puts a record behind the frames of a batch.
func appendFrame(b []byte, salt uint64, index uint32, record []byte) []byte {
	b = little.AppendUint32(b, uint32(len(record)))
	b = little.AppendUint32(b, frameCheck(salt, index, record))
	return append(b, record...)
}

func frameCheck(salt uint64, index uint32, record []byte) uint32 {
	var b [16]byte
	little.PutUint64(b[:], salt)
	little.PutUint32(b[8:], index)
	little.PutUint32(b[12:], uint32(len(record)))
	return crc32.Update(crc32.Checksum(b[:], checks), checks, record)
}

// decode reads a batch: b begins with its header. It returns the records by their place
// in the batch, nil where one cannot be read, and how many cannot. A record that is empty
// is not nil. They lie in b.
func decode(b []byte) (h head, records [][]byte, bad int, err error) {
	if h, err = parseHead(b); err != nil {
		return h, nil, 0, err
	}
	if int64(len(b)) < batchHeader+int64(h.length) {
		return h, nil, 0, errCut
	}
	frames := b[batchHeader : batchHeader+int64(h.length)]
	records = make([][]byte, h.count)
	for i := range records {
		if len(frames) < frameHeader {
			return h, records, bad + len(records) - i, nil
		}
		length, check := int64(little.Uint32(frames)), little.Uint32(frames[4:])
		if int64(len(frames)) < frameHeader+length {
			return h, records, bad + len(records) - i, nil // its length is what is damaged
		}
		record := frames[frameHeader : frameHeader+length : frameHeader+length]
		if frameCheck(h.salt, uint32(i), record) == check {
			records[i] = record
		} else {
			bad++
		}
		frames = frames[frameHeader+length:]
	}
	return h, records, bad, nil
}

// segmentHead is the first page of a segment.
func segmentHead(first, nonce uint64) []byte {
	b := make([]byte, page)
	copy(b, segmentMagic)
	little.PutUint64(b[8:], first)
	little.PutUint64(b[16:], nonce)
	little.PutUint32(b[24:], crc32.Checksum(b[:24], checks))
	return b
}

func parseSegmentHead(b []byte) (first, nonce uint64, ok bool) {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic || little.Uint32(b[24:]) != crc32.Checksum(b[:24], checks) {
		return 0, 0, false
	}
	return little.Uint64(b[8:]), little.Uint64(b[16:]), true
}
