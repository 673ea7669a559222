package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/objstore"
	"github.com/millrace-io/millrace/internal/state"
)

// serveBroker is the broker's process.
func serveBroker() error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// openBus is a member with a state folder and everything as `millrace up` has it.
func openBus(ctx context.Context, t task, topics []bus.TopicSpec) (*bus.Bus, objstore.Store, func(), error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	objects, err := objstore.Folder(filepath.Join(t.Dir, "objects"))
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := state.Open(filepath.Join(t.Dir, "state-"+t.Name), vfs.Default, log)
	if err != nil {
		return nil, nil, nil, err
	}
	secret := sha256.Sum256([]byte("bench"))
	b, err := bus.New(bus.Config{Brokers: []string{t.Broker}, Group: t.Name, Topics: topics, Secret: secret[:]},
		bus.Deps{State: db, Objects: objects, Log: log, Metrics: prometheus.NewRegistry(), Clock: time.Now})
	if err == nil {
		err = b.Ensure(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, nil, err
	}
	return b, objects, func() { b.Close(); _ = db.Close() }, nil
}

// drain runs a stage until its positions on topic reach the log's end.
func drain(ctx context.Context, b *bus.Bus, stage bus.Stage, done <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, stage) }()
	select {
	case err := <-ended:
		return fmt.Errorf("the stage ended early: %w", err)
	case <-done:
	}
	cancel()
	return <-ended
}

// scratchDir is a folder for one part, with what removes it.
func scratchDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// prose is text of about n bytes in which words are as frequent as in a language: the
// k-th word about 1/k as often as the first. The same seed gives the same text.
func prose(seed uint64, n int) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	zipf := rand.NewZipf(rng, 1.07, 2, 20_000)
	var b strings.Builder
	for words := 1; b.Len() < n; words++ {
		word(&b, zipf.Uint64())
		switch {
		case words%14 == 0:
			b.WriteString(". ")
		case words%9 == 0:
			b.WriteString(", ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()[:n]
}

// word spells a number in syllables.
func word(b *strings.Builder, n uint64) {
	const consonants, vowels = "tnshrdlcmwfgypbvk", "eaoiu"
	for n++; n > 0; n /= uint64(len(consonants) * len(vowels)) {
		s := n % uint64(len(consonants)*len(vowels))
		b.WriteByte(consonants[s%uint64(len(consonants))])
		b.WriteByte(vowels[s/uint64(len(consonants))])
	}
}

// prepared starts a broker for a round, with a folder, and lets a child fill it as t says.
// It returns what the contestants of the round are given, and what ends it all.
func prepared(ctx context.Context, filler string, t task) (task, func(), error) {
	dir, remove, err := scratchDir()
	if err != nil {
		return task{}, nil, err
	}
	addr, stop, err := startBroker(ctx)
	if err != nil {
		remove()
		return task{}, nil, err
	}
	end := func() { stop(); remove() }
	t.Broker, t.Dir = addr, dir
	if _, err := turn(ctx, options{}, filler, t); err != nil {
		end()
		return task{}, nil, err
	}
	return t, end, nil
}
