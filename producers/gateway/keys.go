package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Key is one that apps come with. It is held by its hash alone.
type Key struct {
	// Name is the event's key_name.
	Name string `yaml:"name"`
	// SHA256 is the hash of the key, in hex, as millrace gateway key prints it.
	SHA256 string `yaml:"sha256"`
	// Tenant is whose calls these are; the deployment's where it is empty.
	Tenant string `yaml:"tenant"`
	// RequestsPerMinute and TokensPerMinute bound what comes with the key; 0 is no bound. A
	// call's tokens are known when it has been answered: the call behind those that were too
	// many waits for them.
	RequestsPerMinute int `yaml:"requests_per_minute"`
	TokensPerMinute   int `yaml:"tokens_per_minute"`
	// BudgetUSD is what its calls may cost in a calendar month (UTC); 0 is no bound.
	BudgetUSD float64 `yaml:"budget_usd"`
	// OnBudget is warn or stop: whether calls beyond it are answered.
	OnBudget OnBudget `yaml:"on_budget"`
}

// OnBudget is what happens to calls beyond a budget.
type OnBudget string

// What happens: a warning in the log and the metrics, or a refusal.
const (
	BudgetWarn OnBudget = "warn"
	BudgetStop OnBudget = "stop"
)

// keyPrefix tells Millrace's keys from others, for who finds one lying about.
const keyPrefix = "mrk_"

// NewKey makes a key, and the hash by which it is known.
func NewKey() (key, hash string) {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // it never fails
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(b)
	return key, hashKey(key)
}

// hashKey needs no salt and no slow hash: a key is 192 random bits.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func (k Key) faults() (wrong []error) {
	if b, err := hex.DecodeString(k.SHA256); err != nil || len(b) != sha256.Size {
		wrong = append(wrong, errors.New("sha256 is no hash in hex: millrace gateway key makes a key and prints it"))
	}
	if k.Name == "" || len(k.Name) > 128 {
		wrong = append(wrong, errors.New("a name of up to 128 bytes is needed"))
	}
	if k.RequestsPerMinute < 0 || k.TokensPerMinute < 0 || k.BudgetUSD < 0 {
		wrong = append(wrong, errors.New("a limit is negative"))
	}
	if k.OnBudget != "" && k.OnBudget != BudgetWarn && k.OnBudget != BudgetStop {
		wrong = append(wrong, fmt.Errorf("on_budget is %q: warn and stop are known", k.OnBudget))
	}
	return wrong
}

// keyFaults says what is wrong with keys.
func keyFaults(keys []Key) (wrong []error) {
	names, hashes := map[string]bool{}, map[string]bool{}
	for i, k := range keys {
		for _, err := range k.faults() {
			wrong = append(wrong, fmt.Errorf("keys[%d]: %w", i, err))
		}
		if names[k.Name] || hashes[strings.ToLower(k.SHA256)] {
			wrong = append(wrong, fmt.Errorf("keys[%d]: the name or the hash stands above already", i))
		}
		names[k.Name], hashes[strings.ToLower(k.SHA256)] = true, true
	}
	return wrong
}

// holder is a key and what was used with it.
type holder struct {
	Key
	mu       sync.Mutex
	requests allowance
	tokens   allowance
	spent    Spent
	warned   string // the month that a warning was given for
}

// Spent is what the calls of a key cost in a month.
type Spent struct {
	Month string  `json:"month"` // 2026-01
	USD   float64 `json:"usd"`
}

// allowance fills at a rate up to a minute's worth; what was taken too much is owed.
type allowance struct {
	perMinute float64
	left      float64
	at        time.Time
}

func (a *allowance) fill(now time.Time) {
	if a.at.IsZero() {
		a.left = a.perMinute
	} else if now.After(a.at) {
		a.left = min(a.perMinute, a.left+a.perMinute*now.Sub(a.at).Minutes())
	}
	a.at = now
}

// wait is how long until least is left; 0 where it is.
func (a *allowance) wait(least float64) time.Duration {
	if a.perMinute == 0 || a.left >= least {
		return 0
	}
	return time.Duration((least - a.left) / a.perMinute * float64(time.Minute))
}

// keys are those of the configuration. Who comes with another leaves no trace: however many
// there are, nothing is held of them.
type keys struct {
	byHash map[string]*holder
	none   *holder // where no key is asked for
}

func newKeys(cfg Config, tenant string) *keys {
	k := &keys{byHash: map[string]*holder{}}
	for _, key := range cfg.Keys {
		if key.Tenant == "" {
			key.Tenant = tenant
		}
		if key.OnBudget == "" {
			key.OnBudget = BudgetWarn
		}
		k.byHash[strings.ToLower(key.SHA256)] = &holder{Key: key,
			requests: allowance{perMinute: float64(key.RequestsPerMinute)}, tokens: allowance{perMinute: float64(key.TokensPerMinute)}}
	}
	if len(cfg.Keys) == 0 {
		k.none = &holder{Key: Key{Tenant: tenant}}
	}
	return k
}

// of is who a request comes from; nil where its key is none of ours.
func (k *keys) of(h http.Header) *holder {
	if k.none != nil {
		return k.none
	}
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	return k.byHash[hashKey(strings.TrimSpace(token))]
}

func month(t time.Time) string { return t.UTC().Format("2006-01") }

// admit counts a call, or says why it may not be made. over says that the budget is used up
// and only warned of, the first time in a month.
func (h *holder) admit(now time.Time) (refused *refusal, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := month(now); h.spent.Month != m {
		h.spent = Spent{Month: m}
	}
	if h.BudgetUSD > 0 && h.spent.USD >= h.BudgetUSD {
		if h.OnBudget == BudgetStop {
			return &refusal{status: http.StatusTooManyRequests, kind: "insufficient_quota", code: "budget_used_up",
				message: fmt.Sprintf("the budget of the key %s for %s is used up", h.Name, h.spent.Month)}, false
		}
		over = h.warned != h.spent.Month
		h.warned = h.spent.Month
	}
	h.requests.fill(now)
	h.tokens.fill(now)
	if wait := max(h.requests.wait(1), h.tokens.wait(0)); wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, kind: kindLimit, code: "rate_limit_exceeded",
			message: "the key " + h.Name + " has used what it may in a minute", retryAfter: int(wait/time.Second) + 1}, over
	}
	h.requests.left--
	return nil, over
}

// use takes in what a call used.
func (h *holder) use(now time.Time, tokens int64, usd float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens.fill(now)
	h.tokens.left -= float64(tokens)
	if m := month(now); h.spent.Month != m {
		h.spent = Spent{Month: m}
	}
	h.spent.USD += usd
}

// Spent is what the calls of each key have cost in the month that it was used last.
func (g *Gateway) Spent() map[string]Spent {
	all := map[string]Spent{}
	for _, h := range g.keys.byHash {
		h.mu.Lock()
		if h.spent.Month != "" {
			all[h.Name] = h.spent
		}
		h.mu.Unlock()
	}
	return all
}

// Resume takes in what Spent said before a restart.
func (g *Gateway) Resume(spent map[string]Spent) {
	for _, h := range g.keys.byHash {
		h.mu.Lock()
		h.spent = spent[h.Name]
		h.mu.Unlock()
	}
}
