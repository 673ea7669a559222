package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// anew deletes a topic and makes it again, with another id.
func (r *rig) anew(topic string, partitions int32) {
	r.t.Helper()
	if err := errors.Join(r.cluster.DeleteTopic(topic), r.cluster.CreateTopic(topic, partitions, map[string]string{"retention.ms": "-1"})); err != nil {
		r.t.Fatal(err)
	}
}

// grow gives a topic more partitions.
func (r *rig) grow(topic string, to int) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.ListenAddrs()...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	answers, err := kadm.NewClient(cl).UpdatePartitions(r.t.Context(), to, topic)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestMadeAnew makes the input of a stage, or its output, anew, while it runs and while it
// does not: the stage must end and say so, also when it is begun again in the same process,
// and read and write nothing under the old id. A process that begins then reads the new
// topic from its start; a topic of which only the output was made anew it goes on with.
func TestMadeAnew(t *testing.T) {
	for _, topic := range []string{"a", "b"} {
		for _, when := range []string{"while it runs", "while it does not"} {
			t.Run(topic+" "+when, func(t *testing.T) {
				r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20}, TopicSpec{Name: "b", Partitions: 1, MaxBytes: 1 << 20})
				fs := vfs.NewMem()
				b, end := r.process(fs)
				if err := b.Ensure(t.Context()); err != nil {
					t.Fatal(err)
				}
				b.watchEvery = 20 * time.Millisecond
				stage := copyStage("one", "a", "b", nil)
				r.produce("a", 1, 0, 50)
				if when == "while it runs" {
					done := false
					if err := until(t, b, stage, func() bool {
						if !done && reached(b, stage, 50)() {
							r.anew(topic, 1)
							done = true
						}
						return false
					}); err == nil {
						t.Error("the stage goes on")
					}
				} else {
					r.drain(b, stage)
					r.anew(topic, 1)
				}
				// Longer than what was read, so that the old position lies within it.
				r.produce("a", 1, 100, 80)
				if err := until(t, b, stage, never); err == nil || !strings.Contains(err.Error(), "topic "+topic+" was changed while it was in use") {
					t.Errorf("begun again in the same process it says %v", err)
				}
				end()
				if n := r.highest("b"); topic == "b" && n > 0 {
					t.Errorf("%d records were written to the new topic by one that knew the old", n)
				}
				b = r.member(fs)
				got := &sync.Map{}
				r.drain(b, stage, sinkStage("sink", "b", got))
				if b.Positions("one"); times(got, 100) != 1 || times(got, 179) != 1 || length(got) != map[string]int{"a": 130, "b": 80}[topic] {
					t.Errorf("a new process was given %d values, of 100 %d and of 179 %d", length(got), times(got, 100), times(got, 179))
				}
			})
		}
	}
}

// TestGrown gives a topic more partitions, while a stage runs and while it does not:
// outputs are placed by their count, so the stage must end and say so, and a process that
// begins must refuse it.
func TestGrown(t *testing.T) {
	for _, topic := range []string{"a", "b"} {
		t.Run(topic, func(t *testing.T) {
			r := newRig(t, TopicSpec{Name: "a", Partitions: 1, Input: true, MaxBytes: 1 << 20}, TopicSpec{Name: "b", Partitions: 1, MaxBytes: 1 << 20})
			b := r.member(vfs.NewMem())
			b.watchEvery = 20 * time.Millisecond
			stage := copyStage("one", "a", "b", nil)
			r.produce("a", 1, 0, 50)
			done := false
			err := until(t, b, stage, func() bool {
				if !done && reached(b, stage, 50)() {
					r.grow(topic, 2)
					done = true
				}
				return false
			})
			want := "topic " + topic + " was changed while it was in use"
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("while it runs, the stage says %v", err)
			}
			r.produce(topic, 2, 100, 50)
			if err := until(t, b, stage, never); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("begun again in the same process it says %v", err)
			}
			later, end := r.process(vfs.NewMem())
			defer end()
			err = later.Ensure(context.Background())
			if err == nil || !strings.Contains(err.Error(), "topic "+topic+" has 2 partitions, it was made with 1") {
				t.Errorf("a process that begins says %v", err)
			}
		})
	}
}
