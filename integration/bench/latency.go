package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// The load of the latency's measure: texts of about 1 KB.
const (
	latencyRate  = 1000 // events a second
	latencyBatch = 10   // events a request
	lookPause    = 10 * time.Millisecond
	warmUp       = 3 * time.Second
)

// look is what was queryable at a time: the last offset of each partition.
type look struct {
	at   time.Time
	last map[string]int64
}

// benchLatency posts texts at a steady rate and asks SQL all the while how far the table
// is. An event's latency runs from before its request is made to the end of the first
// query whose answer covers it.
func benchLatency(ctx context.Context, o options) ([]row, error) {
	seconds := 20
	if o.full {
		seconds = 60
	}
	s, err := startSystem(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+2*upTimeout)
	defer cancel()
	count := latencyRate * seconds
	text := prose(1, 1000)
	sent := make([]time.Time, count)
	looking, stop := context.WithCancel(ctx)
	looks := make(chan []look, 1)
	go func() { looks <- s.look(looking) }()
	if err := sendSteadily(ctx, s, text, sent); err != nil {
		stop()
		return nil, err
	}
	err = s.until(ctx, count)
	time.Sleep(10 * lookPause) // the last event is covered by a look too
	stop()
	seen := <-looks
	if err != nil {
		return nil, err
	}
	millis, err := s.latencies(ctx, sent, seen)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("event to queryable in SQL at %d events a second, %d s, %d events", latencyRate, seconds, len(millis))
	return []row{
		{what: what + ": p50", ours: quantile(millis, .5), unit: "ms"},
		{what: "p95", ours: quantile(millis, .95), unit: "ms", goal: "1000"},
		{what: "p99", ours: quantile(millis, .99), unit: "ms"},
	}, nil
}

// sendSteadily posts the texts and notes when each was sent; a slow answer delays nobody.
func sendSteadily(ctx context.Context, s *system, text string, sent []time.Time) error {
	var posting sync.WaitGroup
	failed := make(chan error, len(sent)/latencyBatch+1)
	began := time.Now()
	for from := 0; from < len(sent); from += latencyBatch {
		due := began.Add(time.Duration(from) * time.Second / latencyRate)
		time.Sleep(time.Until(due))
		var body bytes.Buffer
		for i := from; i < min(from+latencyBatch, len(sent)); i++ {
			fmt.Fprintf(&body, `{"id":"e%d","text":"%d %s"}`+"\n", i, i, text)
			sent[i] = time.Now()
		}
		posting.Go(func() { failed <- s.post(ctx, body.Bytes()) })
	}
	posting.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// look asks until ctx ends.
func (s *system) look(ctx context.Context) (all []look) {
	for ctx.Err() == nil {
		rows, err := s.sql(ctx, "SELECT _partition, max(_offset) FROM clean_text GROUP BY _partition")
		if err == nil {
			l := look{at: time.Now(), last: map[string]int64{}}
			for _, r := range rows {
				if l.last[r[0]], err = strconv.ParseInt(r[1], 10, 64); err != nil {
					break
				}
			}
			all = append(all, l)
		}
		time.Sleep(lookPause)
	}
	return all
}

// latencies are those of the events behind the warm-up, in milliseconds.
func (s *system) latencies(ctx context.Context, sent []time.Time, looks []look) ([]float64, error) {
	rows, err := s.sql(ctx, "SELECT substring(event_id, 2), _partition, _offset FROM clean_text ORDER BY _offset")
	if err != nil {
		return nil, err
	}
	if len(rows) != len(sent) {
		return nil, fmt.Errorf("%d rows are there of %d events", len(rows), len(sent))
	}
	var millis []float64
	next := map[string]int{} // by partition, the first look that may cover what follows
	for _, r := range rows {
		n, err := strconv.Atoi(r[0])
		if err != nil {
			return nil, err
		}
		offset, err := strconv.ParseInt(r[2], 10, 64)
		if err != nil {
			return nil, err
		}
		i := next[r[1]]
		for i < len(looks) {
			if last, ok := looks[i].last[r[1]]; ok && last >= offset {
				break
			}
			i++
		}
		next[r[1]] = i
		if i == len(looks) {
			return nil, fmt.Errorf("event %d was never seen", n)
		}
		if sent[n].Sub(sent[0]) >= warmUp {
			millis = append(millis, float64(looks[i].at.Sub(sent[n]).Microseconds())/1000)
		}
	}
	return millis, nil
}
