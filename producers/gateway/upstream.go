package gateway

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstream is a server and how it fares.
type upstream struct {
	name   string
	cfg    Upstream
	url    string // without a slash at its end
	host   string
	port   int64
	eject  Eject
	atWork atomic.Int64

	mu       sync.Mutex
	failures int // one after the other
	ejected  int // how often, since it last answered
	until    time.Time
}

// maxEjection bounds how long an upstream is left alone, in Eject.For.
const maxEjection = 10

func newUpstreams(cfg Config) map[string]*upstream {
	all := map[string]*upstream{}
	for name, c := range cfg.Upstreams {
		u := &upstream{name: name, cfg: c, url: strings.TrimRight(c.URL, "/"), eject: cfg.Eject}
		if parsed, err := url.Parse(c.URL); err == nil { // Validate has looked at it
			u.host = parsed.Hostname()
			u.port, _ = strconv.ParseInt(parsed.Port(), 10, 64) // 0 where the scheme says it
		}
		all[name] = u
	}
	return all
}

// full says whether as many calls are at work there as it takes.
func (u *upstream) full() bool {
	return u.cfg.MaxCalls > 0 && u.atWork.Load() >= int64(u.cfg.MaxCalls)
}

// alone says whether it is being left alone now.
func (u *upstream) alone(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until)
}

// report takes in how a call went: ok where it was answered, whatever the answer said of the
// request.
func (u *upstream) report(ok bool, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ok {
		u.failures, u.ejected = 0, 0
		return
	}
	if u.failures++; u.failures < u.eject.After || now.Before(u.until) {
		return
	}
	// The first call behind the ejection is the probe: one more failure ejects it again.
	u.failures = u.eject.After - 1
	u.until = now.Add(min(u.eject.For<<u.ejected, maxEjection*u.eject.For))
	u.ejected = min(u.ejected+1, 10)
}

// pools are those of a model, the first to try first.
func (g *Gateway) pools(m Model) [][]*upstream {
	names := m.Pools
	if len(names) == 0 {
		names = [][]string{slices.Sorted(maps.Keys(g.upstreams))}
	}
	var pools [][]*upstream
	for _, pool := range names {
		var p []*upstream
		for _, name := range pool {
			p = append(p, g.upstreams[name])
		}
		pools = append(pools, p)
	}
	return pools
}

// choose is the upstream that a call goes to next, and has not been at yet: the least loaded
// of the first pool that has one with room which is not being left alone; where there is none,
// one that is left alone is better than none. nil where all were tried, or are full.
func (g *Gateway) choose(pools [][]*upstream, tried []*upstream) *upstream {
	now := g.deps.Clock()
	turn := int(g.turn.Add(1))
	for _, must := range []bool{true, false} { // be one that is not left alone
		for _, pool := range pools {
			var best *upstream
			var least int64
			for i := range pool {
				u := pool[(i+turn)%len(pool)] // the equally loaded take turns
				if slices.Contains(tried, u) || u.full() || must && u.alone(now) {
					continue
				}
				if n := u.atWork.Load(); best == nil || n < least {
					best, least = u, n
				}
			}
			if best != nil {
				return best
			}
		}
	}
	return nil
}

// budget lets a share of the calls be tried again.
type budget struct {
	mu    sync.Mutex
	share float64
	left  float64
}

// burst is how many retries there may be at once, ahead of the calls that they are a share of.
const burst = 10

func (b *budget) call() {
	b.mu.Lock()
	b.left = min(b.left+b.share, burst)
	b.mu.Unlock()
}

func (b *budget) retry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
