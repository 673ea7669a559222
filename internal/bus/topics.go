package bus

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/objstore"
)

// Topic is a topic as it is.
type Topic struct {
	TopicSpec
	ID TopicID
}

// Ensure makes the topics that are missing and checks the others: that no broker deletes
// or compacts what Millrace accounts for, and that a topic has the partitions that it was
// made with. It is called once, before anything else.
func (b *Bus) Ensure(ctx context.Context) error {
	specs := b.cfg.Topics
	admin := kadm.NewClient(b.client)
	for _, spec := range specs {
		configs := map[string]*string{
			"cleanup.policy":                 kadm.StringPtr("delete"),
			"retention.bytes":                kadm.StringPtr("-1"),
			"retention.ms":                   kadm.StringPtr(retentionMillis(spec.Retention)),
			"max.message.bytes":              kadm.StringPtr(fmt.Sprint(spec.MaxBytes + recordOverhead)),
			"unclean.leader.election.enable": kadm.StringPtr("false"),
		}
		if spec.Input {
			configs["message.timestamp.type"] = kadm.StringPtr("LogAppendTime")
		}
		r, err := admin.CreateTopic(ctx, spec.Partitions, -1, configs, spec.Name)
		if err == nil {
			err = r.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("bus: make topic %s: %w", spec.Name, err)
		}
	}
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	details, err := b.listTopics(ctx, admin, names)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		if err := b.adopt(ctx, spec, details[spec.Name]); err != nil {
			return err
		}
	}
	return b.checkConfigs(ctx, admin, details)
}

func retentionMillis(d time.Duration) string {
	if d == 0 {
		return "-1"
	}
	return fmt.Sprint(d.Milliseconds())
}

// listTopics waits until every topic is known to the broker that answers.
func (b *Bus) listTopics(ctx context.Context, admin *kadm.Client, names []string) (kadm.TopicDetails, error) {
	const tries, pause = 50, 100 * time.Millisecond
	for try := 1; ; try++ {
		details, err := admin.ListTopics(ctx, names...)
		if err == nil {
			err = details.Error()
		}
		if err == nil {
			return details, nil
		}
		if try == tries || ctx.Err() != nil {
			return nil, fmt.Errorf("bus: describe topics %s: %w", strings.Join(names, ", "), err)
		}
		time.Sleep(pause)
	}
}

// adopt records the topic's id and partition count where they are new, and refuses a
// count that changed: outputs go to a partition by a function of it.
func (b *Bus) adopt(ctx context.Context, spec TopicSpec, d kadm.TopicDetail) error {
	t := Topic{TopicSpec: spec, ID: TopicID(d.ID)}
	t.Partitions = int32(len(d.Partitions))
	type record struct {
		Partitions int32 `json:"partitions"`
	}
	data, err := json.Marshal(record{t.Partitions})
	if err != nil {
		return fmt.Errorf("bus: record topic %s: %w", spec.Name, err)
	}
	key := fmt.Sprintf("topics/%s/%s", spec.Name, t.ID)
	err = b.objects.Create(ctx, key, data)
	if errors.Is(err, objstore.ErrExists) {
		data, err = b.objects.Get(ctx, key)
		var was record
		if err == nil {
			err = json.Unmarshal(data, &was)
		}
		if err == nil && was.Partitions != t.Partitions {
			return fmt.Errorf("bus: topic %s has %d partitions, it was made with %d: outputs are placed by that count; bring the old count back by making the topic anew", spec.Name, t.Partitions, was.Partitions)
		}
	}
	if err != nil {
		return fmt.Errorf("bus: record topic %s: %w", spec.Name, err)
	}
	b.topics[spec.Name] = t
	return nil
}

// checkConfigs refuses a topic that the broker itself would delete from, sets what
// follows from Millrace's configuration, and warns of what makes an acknowledgement worth
// less than it should be.
func (b *Bus) checkConfigs(ctx context.Context, admin *kadm.Client, details kadm.TopicDetails) error {
	described, err := admin.DescribeTopicConfigs(ctx, details.Names()...)
	if err != nil {
		return fmt.Errorf("bus: describe configurations: %w", err)
	}
	var wrong []error
	for _, r := range described {
		if r.Err != nil {
			return fmt.Errorf("bus: describe configuration of %s: %w", r.Name, r.Err)
		}
		spec := b.topics[r.Name].TopicSpec
		is := map[string]string{}
		for _, c := range r.Configs {
			if c.Value != nil {
				is[c.Key] = *c.Value
			}
		}
		want := map[string]string{"cleanup.policy": "delete", "retention.bytes": "-1", "unclean.leader.election.enable": "false"}
		if spec.Retention == 0 {
			want["retention.ms"] = "-1"
		}
		for key, w := range want {
			if v, ok := is[key]; ok && v != w {
				wrong = append(wrong, fmt.Errorf("bus: topic %s has %s=%s; set it to %s, or the broker deletes what is not accounted for", r.Name, key, v, w))
			}
		}
		if err := b.setConfigs(ctx, admin, spec, is); err != nil {
			return err
		}
		b.warn(spec, is, details[r.Name])
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// setConfigs gives a topic what follows from its spec: the room that its largest record
// needs, and the retention of dead letters.
func (b *Bus) setConfigs(ctx context.Context, admin *kadm.Client, spec TopicSpec, is map[string]string) error {
	var set []kadm.AlterConfig
	need := spec.MaxBytes + recordOverhead
	if v, err := strconv.Atoi(is["max.message.bytes"]); err == nil && v < need {
		set = append(set, kadm.AlterConfig{Name: "max.message.bytes", Value: kadm.StringPtr(strconv.Itoa(need))})
	}
	if w := retentionMillis(spec.Retention); spec.Retention > 0 && is["retention.ms"] != w {
		set = append(set, kadm.AlterConfig{Name: "retention.ms", Value: kadm.StringPtr(w)})
	}
	if len(set) == 0 {
		return nil
	}
	answers, err := admin.AlterTopicConfigs(ctx, set, spec.Name)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		return fmt.Errorf("bus: set %s=%s of topic %s: %w", set[0].Name, *set[0].Value, spec.Name, err)
	}
	for _, c := range set {
		b.log.Info("a topic's configuration was set", "topic", spec.Name, "key", c.Name, "was", is[c.Name], "is", *c.Value)
	}
	return nil
}

// warn says what of a topic is weaker than it should be.
func (b *Bus) warn(spec TopicSpec, is map[string]string, d kadm.TopicDetail) {
	replicas := d.Partitions.NumReplicas()
	if n, err := strconv.Atoi(is["min.insync.replicas"]); err == nil && n < 2 && replicas > 1 {
		b.log.Warn("a record is acknowledged by one replica alone when the others are behind: set min.insync.replicas to 2", "topic", spec.Name, "replicas", replicas)
	}
	if t, ok := is["message.timestamp.type"]; ok && spec.Input && t != "LogAppendTime" {
		b.log.Warn("arrival is what the producers' clocks say: set message.timestamp.type to LogAppendTime", "topic", spec.Name)
	}
}

// Topic returns a topic that Ensure found.
func (b *Bus) Topic(name string) (Topic, error) {
	t, ok := b.topics[name]
	if !ok {
		return Topic{}, fmt.Errorf("bus: topic %s is not one of Millrace's", name)
	}
	return t, nil
}

// Earlier returns the other ids that topics of a name had, or were found to have, before
// they were made anew.
func (b *Bus) Earlier(ctx context.Context, name string) ([]TopicID, error) {
	now, err := b.Topic(name)
	if err != nil {
		return nil, err
	}
	var ids []TopicID
	for info, err := range b.objects.List(ctx, "topics/"+name+"/") {
		if err != nil {
			return nil, fmt.Errorf("bus: list the ids of topic %s: %w", name, err)
		}
		id, err := hex.DecodeString(path.Base(info.Key))
		if err != nil || len(id) != len(TopicID{}) {
			return nil, fmt.Errorf("bus: %s names no topic id", info.Key)
		}
		if TopicID(id) != now.ID {
			ids = append(ids, TopicID(id))
		}
	}
	return ids, nil
}

// Ends returns the offset behind the last committed record of each partition.
func (b *Bus) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	return offsets(topic, func() (kadm.ListedOffsets, error) {
		return kadm.NewClient(b.client).ListCommittedOffsets(ctx, topic)
	})
}

// Starts returns the offset of the first record that each partition still has.
func (b *Bus) Starts(ctx context.Context, topic string) (map[int32]int64, error) {
	return offsets(topic, func() (kadm.ListedOffsets, error) {
		return kadm.NewClient(b.client).ListStartOffsets(ctx, topic)
	})
}

func offsets(topic string, list func() (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := list()
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("bus: list offsets of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

// watchEvery is how often it is looked whether the topics are what they were.
const watchEvery = 5 * time.Second

// watch ends with an error when one of the topics is not what it was: a writer must not
// go on into a topic that was made anew, whose readers know nothing of its chain.
func (b *Bus) watch(ctx context.Context) error {
	tick := time.NewTicker(b.watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := b.changed(ctx); err != nil {
			return err
		}
	}
}

// changed says which of the topics is not what Ensure found. While the broker is away
// nothing is known; the loop itself says so.
func (b *Bus) changed(ctx context.Context) error {
	req := kmsg.NewPtrMetadataRequest() // by kadm it would be answered by what was known some time ago
	for _, name := range slices.Sorted(maps.Keys(b.topics)) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	answer, err := req.RequestWith(ctx, b.client)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	for _, t := range answer.Topics {
		if t.ErrorCode != 0 || t.Topic == nil {
			continue
		}
		if want := b.topics[*t.Topic]; TopicID(t.TopicID) != want.ID || int32(len(t.Partitions)) != want.Partitions {
			return fmt.Errorf("bus: topic %s was changed while it was in use: its id is %s with %d partitions, it was %s with %d; restart Millrace", *t.Topic, TopicID(t.TopicID), len(t.Partitions), want.ID, want.Partitions)
		}
	}
	return nil
}

// Lags returns, by stage, how many offsets of topic lie before it.
func (b *Bus) Lags(ctx context.Context, topic string) (map[string]int64, error) {
	admin := kadm.NewClient(b.client)
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("bus: list groups: %w", err)
	}
	lags, err := admin.Lag(ctx, groups.Groups()...)
	if err != nil {
		return nil, fmt.Errorf("bus: ask for lags: %w", err)
	}
	out := map[string]int64{}
	for group, lag := range lags {
		stage, ours := strings.CutPrefix(group, b.cfg.Group+"-")
		if !ours || lag.Error() != nil {
			continue
		}
		if n, ok := lag.Lag.TotalByTopic()[topic]; ok {
			out[stage] = n.Lag
		}
	}
	return out, nil
}
