package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestKeys: who comes with a key is of its tenant, and what the key is does not go on; who
// comes with none, or with another, is refused, and leaves nothing.
func TestKeys(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		seen.Store(&h)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, chatAnswer)
	}))
	defer up.Close()
	web, webHash := NewKey()
	other, otherHash := NewKey()
	r := newRig(t, func(c *Config) {
		upstreamAt(up.URL)(c)
		c.Keys = []Key{{Name: "web", SHA256: webHash}, {Name: "theirs", SHA256: strings.ToUpper(otherHash), Tenant: "them"}}
	})
	const ask = `{"model":"m"}`
	for _, header := range []string{"", "Bearer " + web + "x", "Bearer", web, "Bearer sk-another"} {
		status, _, body := r.post("/v1/chat/completions", ask, "Authorization", header)
		if status != 401 || !strings.Contains(body, "invalid_api_key") {
			t.Errorf("%q: got %d %s", header, status, body)
		}
	}
	_, ours, _ := r.post("/v1/chat/completions", ask, "Authorization", "Bearer "+web)
	if h := *seen.Load(); h.Get("Authorization") != "" {
		t.Errorf("the upstream got the key: %v", h)
	}
	_, theirs, _ := r.post("/v1/chat/completions", ask, "Authorization", "Bearer "+other)
	if err := r.ids.Check("them", theirs.Get(headerID)); err != nil {
		t.Error(err)
	}
	if err := r.ids.Check("them", ours.Get(headerID)); err == nil {
		t.Error("a tenant may give feedback on another's inference")
	}
	for _, e := range r.events(2) {
		if got := e.Tenant + " " + e.KeyName; got != "acme web" && got != "them theirs" {
			t.Errorf("an event is of %s", got)
		}
	}
}

// TestLimits plays a key's limits by a clock of its own.
func TestLimits(t *testing.T) {
	now := time.Date(2026, 1, 31, 23, 50, 0, 0, time.UTC)
	k := newKeys(Config{Keys: []Key{{Name: "a", SHA256: "00", RequestsPerMinute: 3, TokensPerMinute: 100, BudgetUSD: 1, OnBudget: BudgetStop}}}, "acme")
	h := k.byHash["00"]
	code := func() string {
		refused, _ := h.admit(now)
		if refused == nil {
			return ""
		}
		return fmt.Sprint(refused.code, " ", refused.retryAfter)
	}
	check := func(when, want string) {
		t.Helper()
		if got := code(); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	for range 3 {
		check("within the limit", "")
	}
	check("a fourth", "rate_limit_exceeded 21")
	now = now.Add(20 * time.Second)
	check("when one has come back", "")
	now = now.Add(time.Minute)
	h.use(now, 250, 0.5)
	check("tokens are owed", "rate_limit_exceeded 91") // 150 of them, at 100 a minute
	now = now.Add(91 * time.Second)
	check("when they are paid", "")
	h.use(now, 0, 0.5)
	now = now.Add(time.Minute)
	check("the budget is used up", "budget_used_up 0")
	now = now.Add(10 * time.Minute)
	check("in the next month", "")
	h.OnBudget = BudgetWarn
	h.use(now, 0, 2)
	if refused, over := h.admit(now); refused != nil || !over {
		t.Errorf("a warning: got %v, %v", refused, over)
	}
	if refused, over := h.admit(now); refused != nil || over {
		t.Errorf("a second warning: got %v, %v", refused, over)
	}
}

// TestSpent: what was spent is known behind a restart.
func TestSpent(t *testing.T) {
	g := &Gateway{keys: newKeys(Config{Keys: []Key{{Name: "a", SHA256: "00"}, {Name: "b", SHA256: "01"}}}, "acme")}
	g.keys.byHash["00"].use(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), 1, 0.25)
	again := &Gateway{keys: newKeys(Config{Keys: []Key{{Name: "a", SHA256: "00"}, {Name: "c", SHA256: "02"}}}, "acme")}
	again.Resume(g.Spent())
	if got := again.Spent(); len(got) != 1 || got["a"] != (Spent{"2026-01", 0.25}) {
		t.Errorf("got %v", got)
	}
}
