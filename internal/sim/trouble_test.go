//go:build synctests

package sim

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/disk/disktest"
)

// answers are the wrong ones that a broker may give to a request: of those that want it
// again, those that say that it failed though it was done, and those that are for good.
var answers = map[kmsg.Key][]*kerr.Error{
	kmsg.Produce: {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas,
		kerr.TopicAuthorizationFailed, kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownServerError},
	kmsg.Fetch:           {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed, kerr.UnknownServerError, kerr.FetchSessionIDNotFound},
	kmsg.ListOffsets:     {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed},
	kmsg.Metadata:        {kerr.LeaderNotAvailable, kerr.UnknownServerError},
	kmsg.JoinGroup:       {kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID, kerr.GroupAuthorizationFailed},
	kmsg.SyncGroup:       {kerr.RebalanceInProgress, kerr.UnknownMemberID},
	kmsg.Heartbeat:       {kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.NotCoordinator},
	kmsg.OffsetCommit:    {kerr.RequestTimedOut, kerr.IllegalGeneration, kerr.NotCoordinator},
	kmsg.OffsetFetch:     {kerr.NotCoordinator, kerr.UnknownServerError},
	kmsg.InitProducerID:  {kerr.CoordinatorLoadInProgress, kerr.ClusterAuthorizationFailed},
	kmsg.FindCoordinator: {kerr.CoordinatorNotAvailable},
}

// keys are those of answers, in an order.
var keys = []kmsg.Key{kmsg.Produce, kmsg.Produce, kmsg.Produce, kmsg.Fetch, kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.JoinGroup, kmsg.SyncGroup,
	kmsg.Heartbeat, kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.InitProducerID, kmsg.FindCoordinator}

// outputs are the topics that stages write.
var outputs = []string{bus.CleanText, bus.Interactions, bus.TrainingExamples, bus.RawText}

const (
	mostTroubles  = 14
	mostPause     = 5 * time.Second // between two of them
	longestFreeze = 3 * session     // so that a member may be thought dead and come back
	longestDown   = 8 * time.Second
	mostFails     = 0.5 // of inserts
)

// trouble does to the world what the seed says, one thing after another.
func (w *world) trouble() {
	r := w.random
	w.twin.setFails(r.Float64() * mostFails)
	var faults []*kfake.FaultHandle
	for range r.IntN(mostTroubles) {
		time.Sleep(time.Duration(r.Int64N(int64(mostPause))))
		m := w.members[r.IntN(len(w.members))]
		switch n := r.IntN(15); {
		case m.life == nil:
			m.start()
		case n < 4:
			w.crash(m)
		case n < 6:
			w.freeze(m)
		case n == 6:
			w.count("left")
			m.leave()
		case n == 7:
			w.count("connections cut")
			m.life.host.cut()
		case n == 8:
			w.count("leaders moved")
			w.kafka.ShufflePartitionLeaders()
		case n == 9:
			w.powerCut()
		case n < 13:
			topic := outputs[r.IntN(len(outputs))]
			err := answers[kmsg.Produce][r.IntN(len(answers[kmsg.Produce]))]
			w.count(fmt.Sprintf("a write of %s answered %s", topic, err.Message))
			faults = append(faults, w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err}))
		default:
			key := keys[r.IntN(len(keys))]
			err := answers[key][r.IntN(len(answers[key]))]
			w.count(fmt.Sprintf("%s answered %s", key.Name(), err.Message))
			faults = append(faults, w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: 1 + r.IntN(4), TopLevel: false}))
		}
		if m.life == nil && r.IntN(3) > 0 {
			down := time.Duration(r.Int64N(int64(longestDown)))
			time.Sleep(down)
			m.start()
		}
	}
	for _, f := range faults {
		f.Remove()
	}
}

// crash ends a member's process or machine. What it finds on its disk when it comes back
// may be gone, or be a copy of long ago.
func (w *world) crash(m *member) {
	keeps := disktest.Journaled()
	keep := keeps[w.random.IntN(len(keeps))]
	if w.random.IntN(2) == 0 {
		keep = disktest.All
	}
	m.kill(keep)
	switch n := w.random.IntN(12); {
	case n == 0:
		w.count("killed, and its state deleted")
		m.disk = disktest.New()
	case n == 1 && m.stale != nil:
		w.count("killed, and its state put back")
		m.disk = m.stale.Crash(disktest.All, w.random)
	default:
		w.count(fmt.Sprintf("killed, which left %s", keep))
	}
	if w.random.IntN(2) == 0 {
		m.stale = m.disk.Crash(disktest.All, w.random)
	}
}

// freeze lets a process stand still, perhaps until the others think that it is dead.
func (w *world) freeze(m *member) {
	w.count("frozen")
	resume := m.life.host.pause()
	d := time.Duration(w.random.Int64N(int64(longestFreeze)))
	w.running.Go(func() {
		time.Sleep(d)
		resume()
	})
}

// powerCut ends all members, and the machine that has the objects.
func (w *world) powerCut() {
	w.count("power cut")
	for _, m := range w.members {
		if m.life != nil {
			m.life.host.die()
		}
	}
	keeps := disktest.Any()[1:] // but what a process leaves
	w.objects = w.objects.Crash(keeps[w.random.IntN(len(keeps))], w.random)
	for _, m := range w.members {
		if m.life != nil {
			m.kill(disktest.Journaled()[w.random.IntN(len(disktest.Journaled()))])
		}
	}
}
