package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// Config says how the log is reached.
type Config struct {
	// Brokers are the seeds, host:port.
	Brokers []string
	// Client are further options of every client: TLS, SASL.
	Client []kgo.Opt
	// Group leads the names of consumer groups, "millrace" by default.
	Group string
	// Topics are Millrace's topics.
	Topics []TopicSpec
	// SessionTimeout is how long a member that died, or hangs, holds its partitions; 8 s
	// by default.
	SessionTimeout time.Duration
	// Secret authenticates what Millrace itself writes to its input topics; 32 bytes.
	Secret []byte
}

// Deps is what a Bus works with.
type Deps struct {
	State   *state.DB
	Objects objstore.Store
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Clock is time.Now outside of tests.
	Clock func() time.Time
}

// Bus runs stages over one cluster.
type Bus struct {
	cfg     Config
	state   *state.DB
	objects objstore.Store
	log     *slog.Logger
	clock   func() time.Time
	metrics *metrics
	client  *kgo.Client      // for administration
	topics  map[string]Topic // by Ensure; read only afterwards
	// largestBatch is the batch size that the largest record of any topic needs.
	largestBatch    int32
	maxBuffered     int
	checkpointEvery time.Duration
	watchEvery      time.Duration
	publishing      sync.Mutex
	publisher       *publisher // nil until it is needed, and behind an error
	// reading are the workers by stagePartition.
	reading sync.Map
	// afterFlush is nil outside of tests, which fail there.
	afterFlush func() error
}

// Bounds of every client of the bus.
const (
	// fetchMaxBytes bounds one fetch from one broker.
	fetchMaxBytes = 32 << 20
	// partitionMaxBytes bounds one partition's part of a fetch.
	partitionMaxBytes = 4 << 20
	// maxBatchBytes bounds what a compressed batch may unpack to.
	maxBatchBytes = 64 << 20
	// maxBufferedRecords bounds what a producer holds before Produce blocks.
	maxBufferedRecords = 100_000
)

// New prepares a bus; the first request is made by Ensure.
func New(cfg Config, deps Deps) (*Bus, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("bus: no brokers are given: set kafka.brokers")
	}
	if len(cfg.Secret) < 32 {
		return nil, fmt.Errorf("bus: the deployment's secret has %d bytes, want 32 or more", len(cfg.Secret))
	}
	if cfg.Group == "" {
		cfg.Group = "millrace"
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = sessionTimeout
	}
	largest := 1 << 20
	for _, t := range cfg.Topics {
		largest = max(largest, t.MaxBytes+recordOverhead)
	}
	b := &Bus{
		cfg: cfg, state: deps.State, objects: deps.Objects, log: deps.Log, clock: deps.Clock,
		metrics: newMetrics(deps.Metrics), topics: map[string]Topic{},
		largestBatch: int32(largest), maxBuffered: maxBufferedRecords, checkpointEvery: checkpointEvery, watchEvery: watchEvery,
	}
	var err error
	if b.client, err = kgo.NewClient(b.common()...); err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return b, nil
}

// Objects is where the bus keeps checkpoints and trims.
func (b *Bus) Objects() objstore.Store { return b.objects }

// Client is a connection for what others than the bus have to ask the brokers.
func (b *Bus) Client() *kgo.Client { return b.client }

// Close ends the bus; every Run must have returned.
func (b *Bus) Close() {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	if b.publisher != nil {
		b.publisher.client.Close()
		b.publisher = nil
	}
	b.client.Close()
}

func (b *Bus) common() []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(b.cfg.Brokers...),
		kgo.ClientID("millrace"),
		kgo.WithLogger(kgoLog{b.log}),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RetryBackoffFn(retryBackoff),
	}, b.cfg.Client...)
}

// retryBackoff doubles from 50 ms to 2 s: a broker that restarts is found again soon.
func retryBackoff(try int) time.Duration {
	return min(50*time.Millisecond<<min(try, 8), 2*time.Second)
}

// producing are the options of every producer: idempotent, acknowledged by all replicas,
// without a limit of time after which a record would be given up.
func (b *Bus) producing() []kgo.Opt {
	return append(b.common(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.UnknownTopicRetries(-1),
		kgo.StopProducerOnDataLossDetected(),
		kgo.MaxBufferedRecords(b.maxBuffered),
		kgo.ProducerBatchMaxBytes(b.largestBatch),
		kgo.ProducerLinger(0),
	)
}

func consuming() []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(partitionMaxBytes),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500 * time.Millisecond),
		// The markers of transactions have offsets: without them a reader would never
		// be at the end of a log that ends in one.
		kgo.KeepControlRecords(),
		// Every start position is named; one that the log no longer has is an error.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	}
}

// kgoLog passes the client's warnings and errors on.
type kgoLog struct{ log *slog.Logger }

func (l kgoLog) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (l kgoLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if level == kgo.LogLevelError {
		l.log.Warn("kafka client: "+msg, keyvals...)
		return
	}
	l.log.Debug("kafka client: "+msg, keyvals...)
}
