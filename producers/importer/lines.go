package importer

import (
	"bufio"
	"errors"
	"io"
)

// lines reads lines of any length and holds no more of one than maxRecord allows.
type lines struct {
	r    *bufio.Reader
	kept []byte
}

func newLines(in io.Reader) *lines { return &lines{r: bufio.NewReaderSize(in, 64<<10)} }

// next reads a line with its end. size is its length; line holds all of it where size is
// at most maxRecord, else its beginning, and is good until the next call. An error, io.EOF
// among them, may come with what was read before it.
func (l *lines) next() (line []byte, size int64, err error) {
	l.kept = l.kept[:0]
	for {
		piece, err := l.r.ReadSlice('\n')
		size += int64(len(piece))
		if !errors.Is(err, bufio.ErrBufferFull) && len(l.kept) == 0 {
			return piece, size, err
		}
		l.kept = append(l.kept, piece[:min(len(piece), maxRecord-len(l.kept))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.kept, size, err
		}
	}
}
