package bus

import (
	"fmt"
	"time"
)

// Millrace's topics.
const (
	RawText          = "raw.text"
	InferenceLogs    = "inference.logs"
	UserFeedback     = "user.feedback"
	CleanText        = "clean.text"
	Interactions     = "interactions"
	TrainingExamples = "training.examples"
	ModelEvents      = "model.events"
	DeadLetters      = "dead.letters"
)

// TopicSpec is a topic as Millrace wants it.
type TopicSpec struct {
	Name       string
	Partitions int32
	// Input is true where producers outside Millrace write, so that an origin header
	// counts only with the deployment's MAC.
	Input bool
	// MaxBytes is the largest value, in bytes.
	MaxBytes int
	// Retention is the broker's retention; 0 keeps everything. Only dead letters have one.
	Retention time.Duration
}

// recordOverhead is what a record may weigh above its value: key, headers, framing.
const recordOverhead = 64 << 10

// TopicsConfig is what may be chosen of the topics, before they are made.
type TopicsConfig struct {
	// Partitions of the inputs and of what clean writes.
	Partitions int32 `yaml:"partitions"`
	// ExamplePartitions of training.examples; a model's examples are on one of them.
	ExamplePartitions int32 `yaml:"example_partitions"`
	// MaxInputBytes is the largest input. The limit rises behind it, so that whatever
	// was taken can be written on.
	MaxInputBytes int `yaml:"max_input_bytes"`
	// KeepDeadLetters is how long the bytes of unreadable records stay.
	KeepDeadLetters time.Duration `yaml:"keep_dead_letters"`
}

// DefaultTopicsConfig suits one machine.
func DefaultTopicsConfig() TopicsConfig {
	return TopicsConfig{Partitions: 2, ExamplePartitions: 1, MaxInputBytes: 4 << 20, KeepDeadLetters: 7 * 24 * time.Hour}
}

// Validate says what is wrong with c.
func (c TopicsConfig) Validate() error {
	if c.Partitions < 1 || c.ExamplePartitions < 1 || c.MaxInputBytes < 1<<10 || c.KeepDeadLetters < time.Hour {
		return fmt.Errorf("topics: partitions must be 1 or more, max_input_bytes 1024 or more, keep_dead_letters 1h or more; got %d, %d, %d, %s",
			c.Partitions, c.ExamplePartitions, c.MaxInputBytes, c.KeepDeadLetters)
	}
	return nil
}

// Specs are Millrace's topics as c wants them.
func (c TopicsConfig) Specs() []TopicSpec {
	input, output, dead := c.MaxInputBytes, c.MaxInputBytes*3/2, c.MaxInputBytes*2
	return []TopicSpec{
		{Name: RawText, Partitions: c.Partitions, Input: true, MaxBytes: input},
		{Name: InferenceLogs, Partitions: c.Partitions, Input: true, MaxBytes: input},
		{Name: UserFeedback, Partitions: c.Partitions, Input: true, MaxBytes: input},
		{Name: CleanText, Partitions: c.Partitions, MaxBytes: output},
		{Name: Interactions, Partitions: c.Partitions, MaxBytes: output},
		{Name: TrainingExamples, Partitions: c.ExamplePartitions, MaxBytes: 1 << 20},
		{Name: ModelEvents, Partitions: 1, MaxBytes: 1 << 20},
		{Name: DeadLetters, Partitions: c.Partitions, MaxBytes: dead, Retention: c.KeepDeadLetters},
	}
}
