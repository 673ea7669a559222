package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/internal/disk"
	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/producers/gateway"
)

// gateway puts the gateway's interface onto mux. stop waits until the events of its calls are
// kept; the server must have been shut down.
func (a *app) gateway(mux *http.ServeMux, cl *client.Client, p *parts, ids gateway.IDs) (stop func(), err error) {
	cfg, err := a.cfg.Gateway.WithKeys(os.Getenv)
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(cfg, gateway.Deps{Client: cl, Tenant: a.cfg.Tenant, IDs: ids, Rules: p.rules, Room: a.room, Log: a.log, Metrics: a.metrics, Clock: time.Now})
	if err != nil {
		return nil, err
	}
	books := spentBooks{path: filepath.Join(a.cfg.Data, "gateway-spent.json"), gateway: g}
	if err := books.load(); err != nil {
		return nil, err
	}
	for _, path := range gateway.Paths() {
		mux.Handle(path, g)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Run(ctx)
	}()
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		tick := time.NewTicker(keepSpentEvery)
		defer tick.Stop()
		for running := true; running; {
			select {
			case <-ended:
				running = false
			case <-tick.C:
			}
			if err := books.keep(); err != nil {
				a.log.Warn("what the gateway's keys have spent is not kept", "error", err)
			}
		}
	}()
	return func() { cancel(); <-kept }, nil
}

// keepSpentEvery is what a kill -9 may take of what keys have spent.
const keepSpentEvery = 5 * time.Second

// spentBooks keep what the gateway's keys have spent through a restart.
type spentBooks struct {
	path    string
	gateway *gateway.Gateway
	last    map[string]gateway.Spent
}

func (b *spentBooks) load() error {
	data, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var spent map[string]gateway.Spent
	if err == nil {
		err = json.Unmarshal(data, &spent)
	}
	if err != nil {
		return fmt.Errorf("what the gateway's keys have spent cannot be read: %w; remove %s to begin this month's budgets anew", err, b.path)
	}
	b.gateway.Resume(spent)
	return nil
}

func (b *spentBooks) keep() error {
	spent := b.gateway.Spent()
	if maps.Equal(spent, b.last) {
		return nil
	}
	data, err := json.Marshal(spent)
	if err == nil {
		err = disk.System().Replace(b.path, 0o600, data)
	}
	if err == nil {
		b.last = spent
	}
	return err
}

func gatewayCommand() *command {
	return &command{name: "gateway", args: "key NAME", summary: "Make a key for the gateway.",
		help: `It prints the key, which is held nowhere, and the lines of the configuration by
which the gateway knows it.`,
		define: func(*flag.FlagSet) func(context.Context, *environment, []string) error {
			return func(_ context.Context, env *environment, args []string) error {
				if len(args) != 2 || args[0] != "key" || args[1] == "" {
					fmt.Fprintln(env.stderr, "millrace gateway: say key NAME")
					return errUsage
				}
				key, hash := gateway.NewKey()
				_, err := fmt.Fprintf(env.stdout, "%s\n\ngateway:\n  keys:\n    - name: %q\n      sha256: %s\n", key, args[1], hash)
				return err
			}
		}}
}
