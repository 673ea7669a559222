package kafka

import (
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchOf is a batch of records with the headers that are given, a record each.
func batchOf(codec int16, headers ...string) []byte {
	var records []byte
	for _, h := range headers {
		r := kmsg.Record{Value: []byte("v")}
		if h != "" {
			r.Headers = []kmsg.Header{{Key: h, Value: []byte("x")}}
		}
		body := r.AppendTo(nil)
		r.Length = int32(len(body) - 1) // the length's own byte, of 0, is not counted
		records = r.AppendTo(records)
	}
	if codec == codecSnappy {
		records = s2.EncodeSnappy(nil, records)
	}
	batch := kmsg.RecordBatch{Attributes: codec, NumRecords: int32(len(headers)), Records: records}
	b := batch.AppendTo(nil)
	batch.Length = int32(len(b) - batchHead)
	return batch.AppendTo(nil)
}

// FuzzAllHave walks batches as a producer may send them. Whatever they hold, a batch that
// lacks the header is not taken for one's own because of what stands before it.
func FuzzAllHave(f *testing.F) {
	const own = "mr-origin"
	f.Add(batchOf(codecNone, own, own))
	f.Add(batchOf(codecSnappy, own, "another"))
	f.Add(batchOf(3, own))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"))
	if !allHave(batchOf(codecNone, own, own), own) || !allHave(batchOf(codecSnappy, own), own) {
		f.Fatal("a batch whose records all have the header is taken for another's")
	}
	if allHave(batchOf(codecNone, own, ""), own) || allHave(append(batchOf(codecNone, own), batchOf(codecNone, "another")...), own) {
		f.Fatal("a record without the header is taken for one's own")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		allHave(b, own)
		if allHave(append(b, batchOf(codecNone, "another")...), own) {
			t.Fatalf("%x, and a record without the header: taken for one's own", b)
		}
	})
}
