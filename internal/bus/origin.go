package bus

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/big"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/schemas"
)

// Names of the headers that Millrace writes.
const (
	HeaderKind   = "mr-kind"
	HeaderOrigin = "mr-origin"
	HeaderMAC    = "mr-mac"
	// HeaderContentType is the producer's: what the value of an input is.
	HeaderContentType = "content-type"
)

// maxContentType bounds the content type that is kept of a record; a longer one names
// nothing that is known here.
const maxContentType = 256

// What a content type says of a value.
const (
	ContentJSON     = "application/json"
	ContentProtobuf = "application/x-protobuf"
)

// macBytes is the length of the truncated HMAC-SHA256 on input topics.
const macBytes = 16

// originVersion leads an encoded origin; another version is not understood.
const originVersion = 1

// place is an origin's position within one origin partition and step.
type place struct {
	offset int64
	index  int32
}

// none lies below every place.
var none = place{offset: -1}

func (p place) above(q place) bool {
	return p.offset > q.offset || p.offset == q.offset && p.index > q.index
}

// link is an origin with the place that the same stretch of work sent to the same
// output partition before it.
type link struct {
	Origin
	prev place // none for a stretch's first
}

// appendOrigin encodes o: version, step, topic id, partition, offset, index.
func appendOrigin(b []byte, o Origin) []byte {
	b = append(b, originVersion, byte(len(o.Step)))
	b = append(b, o.Step...)
	b = append(b, o.TopicID[:]...)
	b = binary.AppendUvarint(b, uint64(o.Partition))
	b = binary.AppendUvarint(b, uint64(o.Offset))
	return binary.AppendUvarint(b, uint64(o.Index))
}

// appendLink encodes l: its origin, and the previous place with its offset raised by one
// (0: there is none).
func appendLink(b []byte, l link) []byte {
	b = appendOrigin(b, l.Origin)
	b = binary.AppendUvarint(b, uint64(l.prev.offset+1))
	return binary.AppendUvarint(b, uint64(l.prev.index))
}

// OriginHeader is the header of a record that begins a stretch, for what stands in for a
// stage: tests and benchmarks.
func OriginHeader(o Origin) kgo.RecordHeader {
	return kgo.RecordHeader{Key: HeaderOrigin, Value: appendLink(nil, link{Origin: o, prev: none})}
}

var errOrigin = errors.New("bus: malformed origin header")

// parseOrigin decodes what appendOrigin wrote, and returns what is behind it. step gives
// the one string for a step's name, so that a reader does not allocate it for every
// record.
func parseOrigin(b []byte, step func([]byte) string) (o Origin, rest []byte, err error) {
	if len(b) < 2 || b[0] != originVersion || len(b) < 2+int(b[1])+len(o.TopicID) {
		return o, nil, errOrigin
	}
	n := 2 + int(b[1])
	o.Step = step(b[2:n])
	b = b[n+copy(o.TopicID[:], b[n:]):]
	v, b, ok := uvarints(b, 3)
	if !ok || v[0] > math.MaxInt32 || v[2] > math.MaxInt32 {
		return o, nil, errOrigin
	}
	o.Partition, o.Offset, o.Index = int32(v[0]), int64(v[1]), int32(v[2])
	return o, b, nil
}

// parseLink decodes what appendLink wrote.
func parseLink(b []byte, step func([]byte) string) (link, error) {
	o, b, err := parseOrigin(b, step)
	if err != nil {
		return link{}, err
	}
	v, b, ok := uvarints(b, 2)
	if !ok || len(b) != 0 || o.Step == "" || v[1] > math.MaxInt32 {
		return link{}, errOrigin
	}
	return link{Origin: o, prev: place{offset: int64(v[0]) - 1, index: int32(v[1])}}, nil
}

// uvarints decodes the n, at most 3, numbers that b begins with.
func uvarints(b []byte, n int) (v [3]uint64, rest []byte, ok bool) {
	for i := range n {
		x, size := binary.Uvarint(b)
		if size <= 0 || x > 1<<62 {
			return v, nil, false
		}
		v[i], b = x, b[size:]
	}
	return v, b, true
}

// What an authenticated header says, so that none can stand for another.
const (
	saysOrigin = "mr-origin"
	saysReplay = HeaderReplay
)

// mac authenticates what a header says of a record on an input topic, where others write
// too. It holds for that record at that partition alone.
func mac(secret []byte, says, topic string, partition int32, origin, key, value []byte) []byte {
	h := hmac.New(sha256.New, secret)
	var n [8]byte
	for _, part := range [][]byte{[]byte(says), []byte(topic), origin, key} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	binary.BigEndian.PutUint64(n[:], uint64(partition))
	h.Write(n[:])
	h.Write(value)
	return h.Sum(nil)[:macBytes]
}

func macEqual(a, b []byte) bool { return hmac.Equal(a, b) }

// header finds a header's value; nil where there is none.
func header(r *kgo.Record, name string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value
		}
	}
	return nil
}

// kindOf gives the one string for a known kind, without allocating.
func kindOf(b []byte) schemas.Kind {
	if len(b) == 0 {
		return ""
	}
	if m, ok := kinds[string(b)]; ok {
		return m
	}
	return schemas.Kind(b)
}

// kinds is read only.
var kinds = func() map[string]schemas.Kind {
	m := map[string]schemas.Kind{}
	for _, k := range schemas.Kinds() {
		m[string(k)] = k
	}
	return m
}()

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// derivedIDChars is the length of a derived id: that of a KSUID.
const derivedIDChars = 27

// DerivedID is the id of an event that a step makes: a function of its origin and of
// what, which tells several events of one origin apart. It is 27 characters of a KSUID's
// alphabet, 160 bits of a SHA-256.
func DerivedID(o Origin, what string) string {
	h := sha256.New()
	h.Write([]byte{originVersion, byte(len(o.Step))})
	h.Write([]byte(o.Step))
	h.Write(o.TopicID[:])
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], uint64(o.Partition))
	binary.BigEndian.PutUint64(b[8:], uint64(o.Offset))
	binary.BigEndian.PutUint64(b[16:], uint64(o.Index))
	h.Write(b[:])
	h.Write([]byte(what))
	n := new(big.Int).SetBytes(h.Sum(nil)[:20])
	out := make([]byte, derivedIDChars)
	base, digit := big.NewInt(62), new(big.Int)
	for i := len(out) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}
