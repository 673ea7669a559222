package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// clusterID tells an embedded broker from others.
	clusterID = "millrace"
	// logDir is the only directory of logs that an embedded broker tells of.
	logDir = "embedded"
)

// pressedShare is the part of its limit from which a log should be trimmed early.
const pressedShare = 0.75

// pressed says whether what is left of a limit is so little.
func pressed(limit, left int64) bool { return float64(left) < (1-pressedShare)*float64(limit) }

// Pressed says that the log nears its limit: what is settled should go, whatever its age.
func (s *Server) Pressed() bool { return pressed(s.cfg.MaxLogBytes, s.left()) }

// left is how many bytes the log may still take; 0 where the disk has no room for them.
func (s *Server) left() int64 {
	if s.full.Load() != nil {
		return 0
	}
	return max(s.cfg.MaxLogBytes-s.bytes.Load(), 0)
}

// tellPressure lets processes on other data folders ask, too: a DescribeLogDirs of no topic
// is answered with the log's limit and what is left of it, where a Kafka says so of a disk.
func (s *Server) tellPressure() {
	s.cluster.ControlKey(int16(kmsg.DescribeLogDirs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		req, ok := r.(*kmsg.DescribeLogDirsRequest)
		if !ok || req.Topics == nil || len(req.Topics) > 0 {
			return nil, nil, false
		}
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Dir, dir.TotalBytes, dir.UsableBytes = logDir, s.cfg.MaxLogBytes, s.left()
		resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
		resp.Dirs = append(resp.Dirs, dir)
		return resp, nil, true
	})
}

// Embedded says whether cl's brokers are an embedded one, of any process.
func Embedded(ctx context.Context, cl *kgo.Client) (bool, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none: a nil is all
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return false, fmt.Errorf("kafka: ask the brokers who they are: %w", err)
	}
	return resp.ClusterID != nil && *resp.ClusterID == clusterID, nil
}

// PressedAt is Pressed of an embedded broker of another process.
func PressedAt(ctx context.Context, cl *kgo.Client) (bool, error) {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
	// To its broker itself: a client that may choose finds none for a request of no topic.
	answer, err := cl.SeedBrokers()[0].RetriableRequest(ctx, req)
	resp, _ := answer.(*kmsg.DescribeLogDirsResponse)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, fmt.Errorf("kafka: ask the embedded broker for what is left of its log: %w", err)
	}
	for _, dir := range resp.Dirs {
		if dir.Dir == logDir {
			return pressed(dir.TotalBytes, dir.UsableBytes), nil
		}
	}
	return false, nil
}
