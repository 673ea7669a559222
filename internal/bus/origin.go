package bus

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
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

// appendLink encodes l: version, step, topic id, partition, offset, index, and the
// previous place as differences (0 in place of a difference: there is none).
func appendLink(b []byte, l link) []byte {
	b = append(b, originVersion, byte(len(l.Step)))
	b = append(b, l.Step...)
	b = append(b, l.TopicID[:]...)
	b = binary.AppendUvarint(b, uint64(l.Partition))
	b = binary.AppendUvarint(b, uint64(l.Offset))
	b = binary.AppendUvarint(b, uint64(l.Index))
	b = binary.AppendUvarint(b, uint64(l.prev.offset+1))
	return binary.AppendUvarint(b, uint64(l.prev.index))
}

// OriginHeader is the header of a record that begins a stretch, for what stands in for a
// stage: tests and benchmarks.
func OriginHeader(o Origin) kgo.RecordHeader {
	return kgo.RecordHeader{Key: HeaderOrigin, Value: appendLink(nil, link{Origin: o, prev: none})}
}

var errOrigin = errors.New("bus: malformed origin header")

// parseLink decodes what appendLink wrote. step gives the one string for a step's name,
// so that a reader does not allocate it for every record.
func parseLink(b []byte, step func([]byte) string) (link, error) {
	var l link
	if len(b) < 2 || b[0] != originVersion || len(b) < 2+int(b[1])+len(l.TopicID) {
		return l, errOrigin
	}
	n := 2 + int(b[1])
	l.Step = step(b[2:n])
	b = b[n:]
	copy(l.TopicID[:], b)
	b = b[len(l.TopicID):]
	var v [5]uint64
	for i := range v {
		x, n := binary.Uvarint(b)
		if n <= 0 || x > 1<<62 {
			return l, errOrigin
		}
		v[i], b = x, b[n:]
	}
	if len(b) != 0 || l.Step == "" || v[0] > 1<<31-1 || v[2] > 1<<31-1 || v[4] > 1<<31-1 {
		return l, errOrigin
	}
	l.Partition, l.Offset, l.Index = int32(v[0]), int64(v[1]), int32(v[2])
	l.prev = place{offset: int64(v[3]) - 1, index: int32(v[4])}
	return l, nil
}

// mac authenticates a record that Millrace wrote to an input topic, where others write
// too: its origin header, topic, key and value.
func mac(secret []byte, topic string, origin, key, value []byte) []byte {
	h := hmac.New(sha256.New, secret)
	var n [8]byte
	for _, part := range [][]byte{[]byte(topic), origin, key} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
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
