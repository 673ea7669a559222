package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ledger is the producers' own book of what was acknowledged: each worker posts its events
// one batch after the other and notes in a file, before it goes on, how many it has. An
// event's content is a function of its id. So a worker that was killed between an
// acknowledgement and its note posts the batch again, and the numbers alone say what must
// be in the stores.
type ledger struct {
	mu   sync.Mutex
	file *os.File
	// next is, by worker, how many of each kind were acknowledged.
	next []int
}

// someWorkers is how many post at once where the row does not say.
const someWorkers = 4

func openLedger(dir string, workers int) (*ledger, error) {
	path := filepath.Join(dir, "acknowledged")
	l := &ledger{next: make([]int, workers)}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for lines := bufio.NewScanner(strings.NewReader(string(data))); lines.Scan(); {
		var worker, next int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &worker, &next); err != nil {
			return nil, fmt.Errorf("%s: %q is no line of a ledger: %w", path, lines.Text(), err)
		}
		if worker < 0 || worker >= len(l.next) {
			return nil, fmt.Errorf("%s is of more than %s", path, plural(len(l.next), "worker"))
		}
		l.next[worker] = next
	}
	l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return l, err
}

func (l *ledger) note(worker, next int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[worker] = next
	_, err := fmt.Fprintf(l.file, "%d %d\n", worker, next)
	return err
}

func (l *ledger) of(worker int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next[worker]
}

// kinds are the events that a worker posts under each number: a text, an inference, a
// feedback on it. A fourth, a training example, is made of the latter two.
const kinds = 3

// acknowledged counts events.
func (l *ledger) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, next := range l.next {
		n += kinds * next
	}
	return n
}

func eventID(kind byte, worker, n int) string { return fmt.Sprintf("%c-%d-%d", kind, worker, n) }

// content is what the stores must hold of an event.
func content(kind byte, worker, n int) string {
	switch kind {
	case 't':
		return textOf(worker, n)
	case 'i':
		return fmt.Sprintf("Answer %d of worker %d.", n, worker)
	case 'f':
		return "up " + eventID('i', worker, n)
	}
	return eventID('i', worker, n) + " " + eventID('f', worker, n)
}

// textOf is a text of a worker: of between 60 and 250 characters, so that a rule on the
// length tells them apart.
func textOf(worker, n int) string {
	return fmt.Sprintf("Text number %d of worker %d, and as many words as its number has it", n, worker) + strings.Repeat(" word", n%37) + "."
}

// crowd posts events from several workers at once, each batch again and again until it is
// acknowledged.
type crowd struct {
	ledger *ledger
	posts  []string
	batch  int
	pause  time.Duration
	ctx    context.Context
	stop   context.CancelFunc
	done   sync.WaitGroup
	client *http.Client

	refused atomic.Int64 // answers 429 and 503
	broken  atomic.Int64 // posts without an answer
	mu      sync.Mutex
	err     error // an answer that is neither, or a batch that is never taken
}

// start lets workers post. Each posts batch events of each kind, then pauses.
func (l *ledger) start(ctx context.Context, posts []string, batch int, pause time.Duration) *crowd {
	c := &crowd{ledger: l, posts: posts, batch: batch, pause: pause, client: &http.Client{Timeout: 20 * time.Second}}
	c.ctx, c.stop = context.WithCancel(ctx)
	for w := range l.next {
		c.done.Go(func() {
			for c.ctx.Err() == nil {
				if err := c.work(ctx, w); err != nil {
					c.fail(err)
					return
				}
				_ = sleep(c.ctx, c.pause) // the loop looks at it
			}
		})
	}
	return c
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// work posts one batch of each kind. What was begun is finished, so that every event that
// may be on the log is acknowledged in the end.
func (c *crowd) work(ctx context.Context, worker int) error {
	from := c.ledger.of(worker)
	var texts, inferences, feedback strings.Builder
	for n := from; n < from+c.batch; n++ {
		fmt.Fprintf(&texts, `{"id":%q,"text":%q}`+"\n", eventID('t', worker, n), content('t', worker, n))
		fmt.Fprintf(&inferences, `{"id":%q,"model":"m","input":"Question %d?","output":%q}`+"\n", eventID('i', worker, n), n, content('i', worker, n))
		fmt.Fprintf(&feedback, `{"id":%q,"inference_id":%q,"thumb":"up"}`+"\n", eventID('f', worker, n), eventID('i', worker, n))
	}
	posts := []struct{ path, body string }{{"/v1/text", texts.String()}, {"/v1/inferences", inferences.String()}, {"/v1/feedback", feedback.String()}}
	for i := range posts {
		// Feedback comes before its inference as often as behind it.
		p := posts[(i+from/c.batch)%len(posts)]
		if err := c.send(ctx, worker, p.path, p.body); err != nil {
			return err
		}
	}
	return c.ledger.note(worker, from+c.batch)
}

// send posts a body until it is acknowledged, at each try to the next address.
func (c *crowd) send(ctx context.Context, worker int, path, body string) error {
	last := ""
	for try, end := worker, time.Now().Add(2*patience); time.Now().Before(end); try++ {
		status, answer, err := c.once(ctx, c.posts[try%len(c.posts)]+path, body)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.broken.Add(1)
			last = err.Error()
		case status == http.StatusAccepted && strings.HasPrefix(answer, fmt.Sprintf(`{"accepted":%d,`, c.batch)):
			return nil
		case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
			c.refused.Add(1)
			last = answer
		default:
			return fmt.Errorf("POST %s is answered %d %.300s", path, status, answer)
		}
		if err := sleep(ctx, lookEach); err != nil { // a client's pause before it tries again
			return err
		}
	}
	return fmt.Errorf("POST %s was not acknowledged in %s; the last answer: %.300s", path, 2*patience, last)
}

func (c *crowd) once(ctx context.Context, url, body string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// moves waits until n more events are acknowledged.
func (c *crowd) moves(n int) error {
	before := c.ledger.acknowledged()
	return await(c.ctx, func() bool { return c.failure() != nil || c.ledger.acknowledged() >= before+n }, func() string {
		return fmt.Sprintf("%d events are acknowledged, %d were before", c.ledger.acknowledged(), before)
	})
}

func (c *crowd) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// finish waits until what was begun is acknowledged, and adds what it saw to a result.
func (c *crowd) finish(t *trial) error {
	c.stop()
	c.done.Wait()
	t.result.Counts["refused"] += int(c.refused.Load())
	t.result.Counts["unanswered"] += int(c.broken.Load())
	return c.failure()
}
