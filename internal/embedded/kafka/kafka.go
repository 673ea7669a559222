// Package kafka runs the embedded broker: franz-go's kfake with its log on disk, in this
// process, on a loopback address where any Kafka client reaches it.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

// Config says where the broker keeps its log and listens.
type Config struct {
	// Dir holds the log; one process at a time.
	Dir string
	// Listen is host:port; port 0 takes a free one.
	Listen string
	// MaxLogBytes bounds the log: a reload after a kill -9 peaks near its size in memory.
	MaxLogBytes int64
	// Inputs are the topics that take nothing while the log or the disk is full, but for
	// records with OwnHeader, which the stages write there.
	Inputs    []string
	OwnHeader string
}

// Free space below which the broker takes nothing new: its log must not meet a full
// disk, since the broker does not see every failed write.
const (
	minFreeBytes = 256 << 20
	minFreeShare = 0.02
)

// A segment has at most maxSegmentBytes, and so much less that the log's limit is at least
// leastSegments of them.
const (
	maxSegmentBytes = 100 << 20
	leastSegments   = 64
)

// measureEvery is how often the log and the disk are measured.
const measureEvery = 2 * time.Second

// readyTimeout bounds the reload of the log at the start.
const readyTimeout = 2 * time.Minute

// ErrFull says that the log or the disk is full.
var ErrFull = errors.New("kafka: the embedded log is full")

// Server is the embedded broker.
type Server struct {
	cfg     Config
	log     *slog.Logger
	cluster *kfake.Cluster
	addr    string
	stop    chan struct{}
	done    sync.WaitGroup
	bytes   atomic.Int64
	full    atomic.Pointer[string]
	// refusing is true while refuseInputs looks at what is produced.
	refusing atomic.Bool
}

// LeastLogBytes is the least that a log may hold.
const LeastLogBytes = 64 << 20

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("kafka.listen: %q is not host:port: %w", c.Listen, err)
	}
	if c.Dir == "" || c.MaxLogBytes < LeastLogBytes {
		return fmt.Errorf("kafka: the embedded broker needs a folder and a log of at least %d bytes, got %q and %d bytes", LeastLogBytes, c.Dir, c.MaxLogBytes)
	}
	return nil
}

// Start starts the broker and returns when it answers for its whole log.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	host, portText, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("kafka.listen: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("kafka.listen: %q is not a port: %w", portText, err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("kafka: make %s: %w", cfg.Dir, err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.ClusterID(clusterID),
		kfake.DataDir(cfg.Dir), kfake.SyncWrites(),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, p, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return net.Listen(network, net.JoinHostPort(host, p))
		}),
		// Nothing of ours expires by the broker, and a group's first member need not wait.
		// What is trimmed leaves the disk a segment at a time.
		kfake.BrokerConfigs(map[string]string{
			"group.initial.rebalance.delay.ms": "0", "log.retention.ms": "-1",
			"log.segment.bytes": strconv.FormatInt(min(maxSegmentBytes, cfg.MaxLogBytes/leastSegments), 10),
		}),
	)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("kafka: %s is in use: choose another with --kafka-listen or kafka.listen", cfg.Listen)
		}
		return nil, fmt.Errorf("kafka: start the embedded broker in %s: %w", cfg.Dir, err)
	}
	s := &Server{cfg: cfg, log: log, cluster: cluster, addr: cluster.ListenAddrs()[0], stop: make(chan struct{})}
	if err := s.ready(ctx); err != nil {
		cluster.Close()
		return nil, err
	}
	s.measure()
	s.tellPressure()
	s.done.Go(s.watch)
	return s, nil
}

// ready asks for the ends of everything: the port opens before the log is loaded.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addr))
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("kafka: the embedded broker does not answer: %w", err)
	}
	return nil
}

// Addr is where the broker listens, host:port.
func (s *Server) Addr() string { return s.addr }

// LogBytes is the size of the log on disk, as it was last measured.
func (s *Server) LogBytes() int64 { return s.bytes.Load() }

// Room returns ErrFull, with the reason, while nothing new may be taken. Meanwhile inputs
// are refused; what the stages write goes on, so that the pipeline drains.
func (s *Server) Room() error {
	if why := s.full.Load(); why != nil {
		return fmt.Errorf("%w: %s", ErrFull, *why)
	}
	return nil
}

func (s *Server) watch() {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.measure()
		}
	}
}

func (s *Server) measure() {
	var total int64
	err := filepath.WalkDir(s.cfg.Dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has gone meanwhile, and what comes behind it counts
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	if err != nil {
		s.log.Warn("the embedded log cannot be measured", "error", err)
		return
	}
	s.bytes.Store(total)
	var why string
	var disk unix.Statfs_t
	if err := unix.Statfs(s.cfg.Dir, &disk); err != nil {
		s.log.Warn("the disk cannot be measured", "error", err)
	} else {
		free, size := float64(disk.Bavail)*float64(disk.Bsize), float64(disk.Blocks)*float64(disk.Bsize)
		if free < minFreeBytes || free < minFreeShare*size {
			why = fmt.Sprintf("the disk of %s has %.0f MiB free; make room", s.cfg.Dir, free/(1<<20))
		}
	}
	if total > s.cfg.MaxLogBytes {
		why = fmt.Sprintf("it has %d MiB, its limit (kafka.max_log_bytes) is %d MiB", total>>20, s.cfg.MaxLogBytes>>20)
	}
	if why == "" {
		s.full.Store(nil)
		return
	}
	first := s.full.Swap(&why) == nil
	if s.refusing.CompareAndSwap(false, true) {
		s.refuseInputs()
	}
	if first {
		s.log.Error("the embedded log takes no new inputs", "reason", why)
	}
}

// Close ends the broker in order: what idempotent producers sent is remembered.
func (s *Server) Close() {
	close(s.stop)
	s.done.Wait()
	s.cluster.Close()
}
