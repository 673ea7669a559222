package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseInputs answers what is produced to inputs with a retriable error for as long as
// the broker is full: a producer keeps its records and tries again, and what is left of
// the disk is for the stages to write what they have read.
func (s *Server) refuseInputs() {
	ids := map[[16]byte]bool{}
	for _, name := range s.cfg.Inputs {
		if info := s.cluster.TopicInfo(name); info != nil {
			ids[info.TopicID] = true
		}
	}
	isInput := func(t kmsg.ProduceRequestTopic) bool { return ids[t.TopicID] || slices.Contains(s.cfg.Inputs, t.Topic) }
	s.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req, ok := r.(*kmsg.ProduceRequest)
		if s.full.Load() == nil || !ok {
			s.refusing.Store(false)
			s.cluster.DropControl()
			return nil, nil, false
		}
		s.cluster.KeepControl()
		if !slices.ContainsFunc(req.Topics, isInput) {
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
