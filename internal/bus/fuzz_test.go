package bus

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FuzzMarks reads marks as state, trims and accounts keep them: what is read is written
// and read alike.
func FuzzMarks(f *testing.F) {
	f.Add([]byte(encodeMarks(map[markKey]place{{"clean", TopicID{1}, 2}: {1 << 40, 3}, {"", TopicID{}, 0}: none})))
	f.Add([]byte{21, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := Marks(b).decode()
		if err != nil {
			return
		}
		again, err := encodeMarks(all).decode()
		if err != nil || len(again) != len(all) {
			t.Fatalf("%v came back as %v, %v", all, again, err)
		}
		for k, p := range all {
			if again[k] != p {
				t.Fatalf("the mark of %+v came back as %+v, want %+v", k, again[k], p)
			}
		}
		if listed, err := Marks(b).All(); err != nil || len(listed) != len(all) {
			t.Fatalf("%d marks are listed as %d, %v", len(all), len(listed), err)
		}
	})
}

// FuzzParseLast reads the note of the last record.
func FuzzParseLast(f *testing.F) {
	f.Add(lastOf(&kgo.Record{Offset: 5, Value: []byte("v")}).append(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLast(b)
		if err == nil && !bytes.Equal(l.append(nil), b) {
			t.Fatalf("%x came back as %x", b, l.append(nil))
		}
	})
}

// FuzzParsePosition reads a place as people write it.
func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"raw.text/0:17", "a/b/1:2", "/0:0", "a/-1:0", "a/1:9223372036854775808", "a/+1:07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		if again, err := ParsePosition(p.String()); err != nil || again != p {
			t.Fatalf("%q is %s, which is %s, %v", s, p, again, err)
		}
	})
}

// FuzzReadLetter reads a record of dead.letters, where strangers may write too.
func FuzzReadLetter(f *testing.F) {
	origin := OriginHeader(Origin{Step: "clean", TopicID: TopicID{1}, Partition: 1, Offset: 17, Index: 1}).Value
	f.Add(origin, "raw.text/1:17", "too_large", "2", "2026-01-02T03:04:05.006Z", "1", "100", []byte("value"))
	f.Add(origin, "raw.text/9:17", "", "-7", "yesterday", "-2", "9999999999999999999", []byte{})
	f.Fuzz(func(t *testing.T, origin []byte, input, reason, attempt, timestamp, keyBytes, valueBytes string, value []byte) {
		r := &kgo.Record{Key: []byte("k"), Value: value, Headers: []kgo.RecordHeader{{Key: HeaderOrigin, Value: origin}}}
		for name, v := range map[string]string{HeaderInput: input, HeaderReason: reason, HeaderAttempt: attempt, HeaderTimestamp: timestamp, HeaderKeyBytes: keyBytes, HeaderValueBytes: valueBytes} {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(v)})
		}
		l, err := readLetter(r, Partition{})
		if err != nil {
			return
		}
		if l.Input.TopicID != l.Origin.TopicID || l.Input.Partition.Partition != l.Origin.Partition || l.Input.Offset != l.Origin.Offset {
			t.Fatalf("a letter of %s is said to be of %+v", l.Origin, l.Input)
		}
		if l.Attempt < 1 || l.Attempt > maxAttempt || l.KeyBytes < -1 || l.ValueBytes < -1 {
			t.Fatalf("the letter is %+v", l)
		}
	})
}
