package main

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestSecret lets many ask for the secret of a new folder at once: each must get the same
// one, whole, and nothing else may be left there.
func TestSecret(t *testing.T) {
	for range 20 {
		data := t.TempDir()
		const askers = 16
		secrets := make([][]byte, askers)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range askers {
			wg.Go(func() {
				<-start
				a := app{cfg: Config{Data: data}}
				if err := a.loadSecret(); err != nil {
					t.Error(err)
				}
				secrets[i] = a.secret
			})
		}
		close(start)
		wg.Wait()
		for i, s := range secrets {
			if len(s) != 32 || !bytes.Equal(s, secrets[0]) {
				t.Fatalf("the secret of %d is %x, that of 0 is %x", i, s, secrets[0])
			}
		}
		found, err := filepath.Glob(filepath.Join(data, "*"))
		hidden, hiddenErr := filepath.Glob(filepath.Join(data, ".*"))
		if err != nil || hiddenErr != nil || len(found) != 1 || len(hidden) != 0 {
			t.Fatalf("the folder holds %v and %v", found, hidden)
		}
		if info, err := os.Stat(found[0]); err != nil || info.Mode() != 0o600 {
			t.Errorf("the secret is of mode %v, %v", info, err)
		}
	}
}
