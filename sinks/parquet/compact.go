package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/lake"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/schemas"
	schemaparquet "github.com/millrace-io/millrace/schemas/parquet"
)

// CompactConfig says when ranges become one.
type CompactConfig struct {
	// TargetBytes of files make a range of their own; MaxAge after the oldest of them was
	// written they do, however few they are.
	TargetBytes int           `yaml:"target_bytes"`
	MaxAge      time.Duration `yaml:"max_age"`
	// Grace is how long the small files keep their rows once the large ones stand for
	// them: readers that listed files before have so long to read them.
	Grace time.Duration `yaml:"grace"`
}

// DefaultCompactConfig makes a few files a day where there is little traffic.
func DefaultCompactConfig() CompactConfig {
	return CompactConfig{TargetBytes: 128 << 20, MaxAge: 24 * time.Hour, Grace: time.Hour}
}

// Validate says what is wrong with c.
func (c CompactConfig) Validate() error {
	if c.TargetBytes < 1 || c.MaxAge < time.Millisecond || c.Grace < 0 {
		return fmt.Errorf("parquet: compact.target_bytes and compact.max_age must be positive and compact.grace not negative, got %d, %s, %s", c.TargetBytes, c.MaxAge, c.Grace)
	}
	return nil
}

const (
	// compactEvery is how often the compactor looks for what is to do; a restart of a
	// partition that failed waits so long too.
	compactEvery = 10 * time.Second
	// maxRanges bounds the ranges that become one, whose commits are held in memory.
	maxRanges = 5000
	// groupBytes of events make a row group of a file that others become, which is held in
	// memory, compressed, until it is whole.
	groupBytes = 64 << 20
)

// CompactDeps are what a Compactor works with.
type CompactDeps struct {
	Objects objstore.Store
	// Partitions are those to compact: the ones that the sink has here, so that of many
	// processes one works on each. It need not be one: claims see to that.
	Partitions func() []bus.Partition
	Log        *slog.Logger
	Metrics    prometheus.Registerer
	Clock      func() time.Time
}

// Compactor makes large ranges of the lake of small ones.
//
// The ranges of a partition that become one are fixed by an exclusive claim, as what a
// range holds is; whoever finds a claim adopts it. The files are functions of the claim
// and named by it; once they exist a commit says so, and exact readers take them in place
// of the small ones. After a grace the small ones are emptied. So any number of compactors
// may work on a partition, and one that dies is gone on with from where it was.
type Compactor struct {
	cfg     CompactConfig
	deps    CompactDeps
	metrics *compactMetrics
	chains  map[bus.Partition]*chain
}

// NewCompactor makes a compactor; Run runs it.
func NewCompactor(cfg CompactConfig, deps CompactDeps) (*Compactor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Compactor{cfg: cfg, deps: deps, metrics: newCompactMetrics(deps.Metrics), chains: map[bus.Partition]*chain{}}, nil
}

type compactMetrics struct {
	ranges, made, emptied, failures prometheus.Counter
}

func newCompactMetrics(r prometheus.Registerer) *compactMetrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "millrace", Subsystem: "lake", Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	return &compactMetrics{
		ranges:   counter("compacted_ranges_total", "Ranges of the lake that were made part of a larger one."),
		made:     counter("compacted_files_total", "Files that were written of smaller ones."),
		emptied:  counter("emptied_files_total", "Small files that were emptied since others stand for them."),
		failures: counter("compaction_failures_total", "Compactions that ended with an error, and are tried again."),
	}
}

// Run compacts until ctx ends. A partition that fails keeps no other from its turn.
func (c *Compactor) Run(ctx context.Context) error {
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		for _, err := range c.Once(ctx) {
			if ctx.Err() != nil {
				return nil
			}
			c.metrics.failures.Inc()
			c.deps.Log.Error("a partition of the lake was not compacted; it is tried again", "in", compactEvery, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once does all that is to do now.
func (c *Compactor) Once(ctx context.Context) []error {
	var failed []error
	known := map[bus.Partition]*chain{}
	for _, at := range c.deps.Partitions() {
		ch := c.chains[at]
		if ch == nil {
			ch = &chain{Compactor: c, at: at}
		}
		if err := ch.advance(ctx); err != nil {
			failed = append(failed, fmt.Errorf("parquet: compact %s: %w", at, err))
			continue // and what was known of it is read anew
		}
		known[at] = ch
	}
	c.chains = known
	return failed
}

// chain is the compaction of one partition.
type chain struct {
	*Compactor
	at     bus.Partition
	opened bool
	end    int64         // of the chain: what lies before is compacted
	small  []lake.Commit // the ranges behind it, as they were written; read up to seen
	seen   int64
	full   []lake.Commit // compacted, and their small files not emptied yet
}

// advance compacts what is due, and empties what nobody needs any more.
func (ch *chain) advance(ctx context.Context) error {
	if !ch.opened {
		end, full, err := lake.Chain(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition)
		if err != nil {
			return err
		}
		ch.end, ch.seen, ch.full, ch.opened = end, end, full, true
	}
	for {
		if err := ch.look(ctx); err != nil {
			return err
		}
		end, err := ch.due(ctx)
		if err != nil {
			return err
		}
		if end == 0 {
			return ch.release(ctx)
		}
		if err := ch.compact(ctx, end); err != nil {
			return err
		}
	}
}

// look reads which ranges were written since.
func (ch *chain) look(ctx context.Context) error {
	for c, err := range lake.Written(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition, ch.seen) {
		if err != nil {
			return err
		}
		for i := range c.Files {
			if f := &c.Files[i]; f.Bytes == 0 { // of an older version
				if f.Bytes, err = size(ctx, ch.deps.Objects, f.Key); err != nil {
					return err
				}
			}
		}
		ch.small, ch.seen = append(ch.small, c), c.End
		if len(ch.small) > maxRanges {
			break
		}
	}
	return nil
}

// due returns where the next compacted range ends: where a claim says so, or where enough
// has come together or is old enough; 0 where neither is. The newest range never is in it:
// its writer may be about to make its files yet.
func (ch *chain) due(ctx context.Context) (int64, error) {
	claimed, err := lake.ClaimedCompaction(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition, ch.end)
	if err != nil || claimed > 0 {
		return claimed, err
	}
	var bytes int64
	for i := range len(ch.small) - 1 {
		c := ch.small[i]
		for _, f := range c.Files {
			bytes += f.Bytes
		}
		old := ch.deps.Clock().Sub(ch.small[0].At) >= ch.cfg.MaxAge
		last := i == len(ch.small)-2
		if bytes >= int64(ch.cfg.TargetBytes) || i+1 == maxRanges || last && old {
			return lake.ClaimCompaction(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition, ch.end, c.End)
		}
	}
	return 0, nil
}

// target is a file that others become.
type target struct {
	file lake.File
	from []source
}

type source struct {
	of   lake.Commit
	file lake.File
}

// compact makes one range of those that end at end.
func (ch *chain) compact(ctx context.Context, end int64) error {
	n := slices.IndexFunc(ch.small, func(c lake.Commit) bool { return c.End == end }) + 1
	if n == 0 {
		return fmt.Errorf("the range at %d is claimed to end at %d, where no range of the lake ends", ch.end, end)
	}
	files, err := ch.files(ctx, ch.small[:n], end)
	made := lake.Commit{First: ch.end, End: end, At: ch.deps.Clock(), Files: files}
	if err == nil {
		err = lake.PutCompaction(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition, made)
	}
	if err != nil && !errors.Is(err, lake.ErrCompacted) { // by another, who has put its commit
		return err
	}
	ch.metrics.ranges.Add(float64(n))
	ch.small = slices.Clone(ch.small[n:]) // and the room of the others is given back
	ch.end = end
	ch.full = append(ch.full, made)
	return nil
}

// files makes the files of a compacted range. One that is of a single range keeps that
// one's.
func (ch *chain) files(ctx context.Context, small []lake.Commit, end int64) ([]lake.File, error) {
	if len(small) == 1 {
		return small[0].Files, nil
	}
	var files []lake.File
	for _, t := range ch.targets(small, end) {
		if err := ch.make(ctx, t, end); err != nil {
			return nil, err
		}
		files = append(files, t.file)
	}
	return files, nil
}

// targets are the files of a compacted range: one of each tenant, kind and day of which it
// has any, whether its rows have expired or not, so that every compactor makes the same.
func (ch *chain) targets(small []lake.Commit, end int64) []*target {
	var all []*target
	type group struct{ tenant, kind, day string }
	known := map[group]*target{}
	for _, c := range small {
		for _, f := range c.Files {
			g := group{f.Tenant, string(f.Kind), f.Day}
			t := known[g]
			if t == nil {
				key := lake.CompactedKey(f.Tenant, f.Kind, f.Day, ch.at.Topic, ch.at.TopicID, ch.at.Partition, small[0].First, end)
				t = &target{file: lake.File{Key: key, Kind: f.Kind, Tenant: f.Tenant, Day: f.Day}}
				known[g] = t
				all = append(all, t)
			}
			t.from = append(t.from, source{c, f})
		}
	}
	slices.SortFunc(all, func(a, b *target) int { return strings.Compare(a.file.Key, b.file.Key) })
	return all
}

// make writes a target, and notes what it has: where another made it, which may have found
// other rows expired, what that one's has.
func (ch *chain) make(ctx context.Context, t *target, end int64) error {
	s := ch.deps.Objects
	err := s.CreateFunc(ctx, t.file.Key, func(w io.Writer) error {
		to := schemaparquet.NewWriter(w, t.file.Kind,
			parquetgo.KeyValueMetadata("millrace.topic_id", ch.at.TopicID.String()),
			parquetgo.KeyValueMetadata("millrace.partition", fmt.Sprint(ch.at.Partition)),
			parquetgo.KeyValueMetadata("millrace.range", fmt.Sprintf("%d-%d", ch.end, end)))
		held := 0
		for _, from := range t.from {
			err := lake.ReadFile(ctx, s, ch.at.TopicID, ch.at.Partition, from.of, from.file, func(meta *schemas.Meta, m schemas.Message) error {
				if held += m.Size(); held > groupBytes {
					held = m.Size()
					if err := to.EndGroup(); err != nil {
						return err
					}
				}
				return to.Write(meta, m)
			})
			if err != nil {
				return err
			}
		}
		return to.Close()
	})
	if err == nil {
		ch.metrics.made.Inc()
	}
	if err != nil && !errors.Is(err, objstore.ErrExists) {
		return err
	}
	o, err := s.Open(ctx, t.file.Key)
	if err != nil {
		return err
	}
	defer o.Close()
	f, err := parquetgo.OpenFile(o, o.Size())
	if err != nil {
		return fmt.Errorf("read %s: %w", t.file.Key, err)
	}
	t.file.Rows, t.file.Bytes = f.NumRows(), o.Size()
	return nil
}

// release empties the small files whose grace has ended.
func (ch *chain) release(ctx context.Context) error {
	for len(ch.full) > 0 && ch.deps.Clock().Sub(ch.full[0].At) >= ch.cfg.Grace {
		n, err := lake.Release(ctx, ch.deps.Objects, ch.at.TopicID, ch.at.Partition, ch.full[0])
		if err != nil {
			return err
		}
		ch.metrics.emptied.Add(float64(n))
		ch.full = ch.full[1:]
	}
	return nil
}
