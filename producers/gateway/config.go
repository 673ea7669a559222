package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/config"
)

// Config says where calls go and what is kept of them.
type Config struct {
	// Upstreams are the servers that answer, by their names.
	Upstreams map[string]Upstream `yaml:"upstreams"`
	// Models are those that apps may ask for, by the name that they ask by. Where there are
	// none, any model may be asked for, of any upstream.
	Models map[string]Model `yaml:"models"`
	// Keys are those that apps must come with. Without any, none is asked for, and a client's
	// own goes on to the upstream.
	Keys []Key `yaml:"keys"`
	// Capture is what is kept of the calls of a model that says nothing else.
	Capture Capture `yaml:"capture"`
	// WhenFull is what happens to such calls while the event could not be kept.
	WhenFull WhenFull `yaml:"when_full"`
	// MaxBodyBytes bounds a request's body, MaxCaptureBytes what is kept of a request and of
	// an answer, each.
	MaxBodyBytes    config.Bytes `yaml:"max_body_bytes"`
	MaxCaptureBytes config.Bytes `yaml:"max_capture_bytes"`
	// MaxHeldBytes bounds what all calls hold of bodies and of what is kept; beyond it the
	// answer is 429. MaxCalls bounds the calls at work.
	MaxHeldBytes config.Bytes `yaml:"max_held_bytes"`
	MaxCalls     int          `yaml:"max_calls"`
	// HeadTimeout is how long an upstream may take before it begins to answer, IdleTimeout
	// how long it, or the client, may stand still within an answer.
	HeadTimeout time.Duration `yaml:"head_timeout"`
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Retries bounds what is tried again.
	Retries Retries `yaml:"retries"`
	// Eject says when an upstream is left alone for a while.
	Eject Eject `yaml:"eject"`
}

// Upstream is a server that speaks OpenAI's interface.
type Upstream struct {
	// URL is what stands before /chat/completions, as https://api.openai.com/v1.
	URL string `yaml:"url"`
	// Key is sent as a bearer token in place of the client's; the client's own goes on where
	// there is none.
	Key config.Secret `yaml:"key"`
	// KeyEnv is the name of an environment variable that holds Key.
	KeyEnv string `yaml:"key_env"`
	// Provider is the event's provider_name: openai, vllm.
	Provider string `yaml:"provider"`
	// MaxCalls bounds the calls at work there; 0 is no bound.
	MaxCalls int `yaml:"max_calls"`
}

// Model is what becomes of the calls of one model.
type Model struct {
	// Pools are upstreams by name. A call goes to the least loaded of the first pool, and to
	// the next pool where none of the first can take it. All upstreams are one pool where
	// there are none.
	Pools [][]string `yaml:"pools"`
	// As is the model's name at the upstreams; the same where it is empty.
	As       string   `yaml:"as"`
	Capture  Capture  `yaml:"capture"`
	WhenFull WhenFull `yaml:"when_full"`
	Price    Price    `yaml:"price"`
}

// Price is in US dollars for a million tokens.
type Price struct {
	Input float64 `yaml:"input"`
	// CachedInput is for those of the input that the upstream had cached; Input's where it
	// is 0.
	CachedInput float64 `yaml:"cached_input"`
	Output      float64 `yaml:"output"`
}

// cost of a call with so many tokens; those cached are among the input.
func (p Price) cost(input, cached, output int64) float64 {
	of := p.CachedInput
	if of == 0 {
		of = p.Input
	}
	return (float64(input-cached)*p.Input + float64(cached)*of + float64(output)*p.Output) / 1e6
}

// Capture is what is kept of a call.
type Capture string

// The policies. What clean stores is redacted whatever this says; redacted does it before the
// event leaves the gateway, so that the input topic holds nothing else either. metadata keeps
// no text at all.
const (
	CaptureFull     Capture = "full"
	CaptureRedacted Capture = "redacted"
	CaptureMetadata Capture = "metadata"
)

// WhenFull is what happens while an event could not be kept.
type WhenFull string

// The policies: to answer and count the gap, or to answer 503.
const (
	FailOpen   WhenFull = "open"
	FailClosed WhenFull = "closed"
)

// Retries bounds what is tried again: a call that no upstream began to work on, because it
// could not be reached, or said 429 or 503.
type Retries struct {
	// Most is how often one call is tried again, Share how many there may be for each call
	// at most, so that retries do not double the load of what is down already.
	Most  int     `yaml:"most"`
	Share float64 `yaml:"share"`
}

// Eject says when an upstream is left alone: after so many failures one after the other,
// for so long, and twice as long each time it fails again, up to ten times.
type Eject struct {
	After int           `yaml:"after"`
	For   time.Duration `yaml:"for"`
}

// DefaultConfig has no upstreams.
func DefaultConfig() Config {
	return Config{
		Capture: CaptureFull, WhenFull: FailOpen, MaxBodyBytes: 16 << 20, MaxCaptureBytes: 512 << 10, MaxHeldBytes: 512 << 20, MaxCalls: 20_000,
		HeadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute,
		Retries: Retries{Most: 2, Share: 0.2}, Eject: Eject{After: 5, For: 10 * time.Second},
	}
}

// Validate says all that is wrong with c.
func (c Config) Validate() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("gateway: "+format, args...)) }
	if c.MaxBodyBytes < 1 || c.MaxCaptureBytes < 1 || c.MaxHeldBytes < 1 || c.MaxCalls < 1 || c.HeadTimeout <= 0 || c.IdleTimeout <= 0 || c.Eject.After < 1 || c.Eject.For <= 0 {
		say("limits and times must be positive")
	}
	if c.Retries.Most < 0 || c.Retries.Share < 0 || c.Retries.Share > 1 {
		say("retries.most must not be negative, and retries.share lies between 0 and 1")
	}
	if least := c.MaxBodyBytes + 2*c.MaxCaptureBytes; c.MaxHeldBytes < least {
		say("max_held_bytes is %d, and one call may hold %d (max_body_bytes and twice max_capture_bytes): raise it", c.MaxHeldBytes, least)
	}
	if err := c.Capture.check(); err != nil {
		say("%w", err)
	}
	if err := c.WhenFull.check(); err != nil {
		say("%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		u, err := url.Parse(c.Upstreams[name].URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			say("upstreams.%s.url is %q: say http://host/v1, or https", name, c.Upstreams[name].URL)
		}
		if c.Upstreams[name].MaxCalls < 0 {
			say("upstreams.%s.max_calls is negative", name)
		}
		if c.Upstreams[name].Key != "" && c.Upstreams[name].KeyEnv != "" {
			say("upstreams.%s has both key and key_env: leave one out", name)
		}
	}
	for _, err := range keyFaults(c.Keys) {
		say("%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		for _, err := range c.Models[name].faults(c.Upstreams) {
			say("models.%s: %w", name, err)
		}
	}
	return errors.Join(wrong...)
}

// WithKeys is c with the keys that the environment holds.
func (c Config) WithKeys(getenv func(string) string) (Config, error) {
	all := maps.Clone(c.Upstreams)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		u := all[name]
		if u.KeyEnv == "" {
			continue
		}
		if u.Key = config.Secret(getenv(u.KeyEnv)); u.Key == "" {
			return c, fmt.Errorf("gateway: upstreams.%s.key_env names %s, which is not set", name, u.KeyEnv)
		}
		all[name] = u
	}
	c.Upstreams = all
	return c, nil
}

func (m Model) faults(upstreams map[string]Upstream) (wrong []error) {
	for _, pool := range m.Pools {
		if len(pool) == 0 {
			wrong = append(wrong, errors.New("a pool names no upstream"))
		}
		for _, name := range pool {
			if _, ok := upstreams[name]; !ok {
				wrong = append(wrong, fmt.Errorf("there is no upstream %q: known are %s", name, strings.Join(slices.Sorted(maps.Keys(upstreams)), ", ")))
			}
		}
	}
	if m.Capture != "" {
		wrong = append(wrong, m.Capture.check())
	}
	if m.WhenFull != "" {
		wrong = append(wrong, m.WhenFull.check())
	}
	if m.Price.Input < 0 || m.Price.CachedInput < 0 || m.Price.Output < 0 {
		wrong = append(wrong, errors.New("a price is negative"))
	}
	return slices.DeleteFunc(wrong, func(err error) bool { return err == nil })
}

func (c Capture) check() error {
	if c != CaptureFull && c != CaptureRedacted && c != CaptureMetadata {
		return fmt.Errorf("capture is %q: full, redacted and metadata are known", c)
	}
	return nil
}

func (w WhenFull) check() error {
	if w != FailOpen && w != FailClosed {
		return fmt.Errorf("when_full is %q: open and closed are known", w)
	}
	return nil
}
