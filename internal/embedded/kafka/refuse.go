package kafka

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseInputs answers what others produce to inputs with a retriable error for as long
// as the broker is full: a producer keeps its records and tries again, and what is left
// of the disk is for the stages to write what they have read.
func (s *Server) refuseInputs() {
	ids := map[[16]byte]bool{}
	for _, name := range s.cfg.Inputs {
		if info := s.cluster.TopicInfo(name); info != nil {
			ids[info.TopicID] = true
		}
	}
	fromOutside := func(t kmsg.ProduceRequestTopic) bool {
		if !ids[t.TopicID] && !slices.Contains(s.cfg.Inputs, t.Topic) {
			return false
		}
		return slices.ContainsFunc(t.Partitions, func(p kmsg.ProduceRequestTopicPartition) bool {
			return !allHave(p.Records, s.cfg.OwnHeader)
		})
	}
	s.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req, ok := r.(*kmsg.ProduceRequest)
		if s.full.Load() == nil || !ok {
			s.refusing.Store(false)
			s.cluster.DropControl()
			return nil, nil, false
		}
		s.cluster.KeepControl()
		if !slices.ContainsFunc(req.Topics, fromOutside) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			answer := kmsg.NewProduceResponseTopic()
			answer.Topic, answer.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				refused := kmsg.NewProduceResponseTopicPartition()
				refused.Partition, refused.ErrorCode = p.Partition, kerr.KafkaStorageError.Code
				answer.Partitions = append(answer.Partitions, refused)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
}

const (
	// batchHead is the length of a batch's first two fields, which its Length leaves out.
	batchHead = 12
	// mostUnpacked bounds what a batch may unpack to; Millrace's own stay below.
	mostUnpacked = 64 << 20
	// The codecs of Millrace's own producers, in a batch's attributes.
	codecMask, codecNone, codecSnappy = 7, 0, 2
)

// allHave says whether every record of some batches has a header. What cannot be read is
// taken for another's.
func allHave(batches []byte, name string) bool {
	for len(batches) > 0 {
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(batches); err != nil || batch.Length < 0 || len(batches) < batchHead+int(batch.Length) {
			return false
		}
		records, err := unpack(&batch)
		if err != nil {
			return false
		}
		for len(records) > 0 {
			length, n := binary.Varint(records)
			if n <= 0 || length < 0 || length > int64(len(records)-n) {
				return false
			}
			end := n + int(length)
			var r kmsg.Record
			if err := r.ReadFrom(records[:end]); err != nil || !slices.ContainsFunc(r.Headers, func(h kmsg.Header) bool { return h.Key == name }) {
				return false
			}
			records = records[end:]
		}
		batches = batches[batchHead+int(batch.Length):]
	}
	return true
}

func unpack(batch *kmsg.RecordBatch) ([]byte, error) {
	switch batch.Attributes & codecMask {
	case codecNone:
		return batch.Records, nil
	case codecSnappy:
		n, err := s2.DecodedLen(batch.Records)
		if err != nil {
			return nil, err
		}
		if n > mostUnpacked {
			return nil, errors.New("kafka: the batch is too large")
		}
		return s2.Decode(nil, batch.Records)
	}
	return nil, errors.New("kafka: the batch is in another's codec")
}
