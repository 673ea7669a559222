package classifier

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// The artefact: magic, the length of a JSON head and the head (configuration, labels),
// the bias, the number of rows, their hashes in the order of their numbers, their
// weights, and a CRC-32C of all before it. Numbers are little-endian. It holds numbers
// alone: to read one runs nothing.
const magic = "mrclass1"

// Bounds of an artefact that is read.
const (
	maxHead   = 16 << 20
	maxLabels = 100_000
)

// ErrFormat says that bytes are no classifier, or a damaged one.
var ErrFormat = errors.New("classifier: not a classifier's artefact, or a damaged one")

var crcTable = crc32.MakeTable(crc32.Castagnoli)

type head struct {
	Config Config   `json:"config"`
	Labels []string `json:"labels"`
}

// Bytes is the model's artefact.
func (m *Model) Bytes() ([]byte, error) {
	h, err := json.Marshal(head{m.cfg, m.labels})
	if err != nil {
		return nil, fmt.Errorf("classifier: render the head: %w", err)
	}
	b := make([]byte, 0, len(magic)+8+len(h)+4*(m.rows.count+len(m.weight)))
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h)))
	b = append(b, h...)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.rows.count))
	hashes := make([]uint32, m.rows.count)
	for i, row := range m.rows.rows {
		if row >= 0 {
			hashes[row] = m.rows.keys[i]
		}
	}
	for _, v := range hashes {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range m.weight {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable)), nil
}

// Read reads an artefact.
func Read(data []byte) (*Model, error) {
	if len(data) < len(magic)+12 || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it begins otherwise", ErrFormat)
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if got := crc32.Checksum(body, crcTable); got != sum {
		return nil, fmt.Errorf("%w: its checksum is %08x, want %08x", ErrFormat, got, sum)
	}
	r := reader{b: body[len(magic):]}
	n := r.u32()
	if n > maxHead {
		return nil, fmt.Errorf("%w: its head claims %d bytes", ErrFormat, n)
	}
	h := head{Config: Config{MaxBytes: DefaultConfig().MaxBytes}}
	if err := json.Unmarshal(r.take(int(n)), &h); err != nil || r.short {
		return nil, fmt.Errorf("%w: its head cannot be read", ErrFormat)
	}
	if err := h.Config.Validate(); err != nil || len(h.Labels) < 2 || len(h.Labels) > maxLabels {
		return nil, fmt.Errorf("%w: its head says what cannot be", ErrFormat)
	}
	m := newModel(h.Config, h.Labels)
	rows := int64(r.u32())
	if rows < 1 || r.short || rows*4*int64(1+len(h.Labels)) != int64(len(r.b)) {
		return nil, fmt.Errorf("%w: it claims %d rows of %d labels in %d bytes", ErrFormat, rows, len(h.Labels), len(r.b))
	}
	m.rows = newTable(int(rows))
	for range rows {
		m.rows.add(r.u32())
	}
	if int64(m.rows.count) != rows {
		return nil, fmt.Errorf("%w: a row is there twice", ErrFormat)
	}
	m.weight = make([]float32, int(rows)*len(h.Labels))
	r.floats(m.weight)
	return m, nil
}

// reader takes numbers off b; short is set where there are too few.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.short = true
		n = len(r.b)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u32() uint32 {
	b := r.take(4)
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *reader) floats(out []float32) {
	for i := range out {
		out[i] = math.Float32frombits(r.u32())
	}
}
