package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Brokers []string `yaml:"brokers"`
	MaxLog  Bytes    `yaml:"max_log"`
	Key     Secret   `yaml:"key"`
}

type sample struct {
	Data   string        `yaml:"data"`
	Kafka  inner         `yaml:"kafka"`
	Linger time.Duration `yaml:"linger"`
	N      int           `yaml:"n"`
}

func (s sample) Validate() error {
	if s.N < 0 {
		return errors.New("n must not be negative")
	}
	return nil
}

func load(t *testing.T, text string, environ ...string) (sample, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, sample{Data: "d", N: 7, Linger: time.Second}, environ)
}

func TestLoad(t *testing.T) {
	got, err := load(t, "data: x\nkafka:\n  brokers: [a, b]\n  max_log: 64MiB\nlinger: 2s\n", "MILLRACE_KAFKA_KEY=s", "MILLRACE_N=9", "OTHER=1", "MILLRACE_KAFKA_BROKERS=c,d")
	if err != nil {
		t.Fatal(err)
	}
	if got.Data != "x" || strings.Join(got.Kafka.Brokers, " ") != "c d" || got.Kafka.MaxLog != 64<<20 || got.Linger != 2*time.Second || got.N != 9 || got.Kafka.Key != "s" {
		t.Fatalf("got %+v", got)
	}
	shown, err := Show(got)
	if err != nil || !strings.Contains(string(shown), "key: (hidden)") || !strings.Contains(string(shown), "max_log: 64MiB") || !strings.Contains(string(shown), "linger: 2s") {
		t.Fatalf("shown %s, %v", shown, err)
	}
	if got, err := load(t, ""); err != nil || got.N != 7 {
		t.Fatalf("an empty file gave %+v, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		text string
		env  string
		want []string
	}{
		{"kafka:\n  broker: [a]\nlingr: 2s\n", "", []string{":2: there is no key kafka.broker; did you mean kafka.brokers?", ":3: there is no key lingr; did you mean linger?"}},
		{"linger: soon\n", "", []string{`:1: linger: "soon" is not a duration such as 30s`}},
		{"kafka: 3\n", "", []string{":1: kafka has keys of its own: brokers, max_log, key"}},
		{"n: -1\n", "", []string{"n must not be negative"}},
		{"kafka: {max_log: many}\n", "", []string{"is not a size"}},
		{"n: 1\n", "MILLRACE_KAFKA_BROKER=x", []string{"MILLRACE_KAFKA_BROKER names no key"}},
		{"n: [1\n", "", []string{"c.yaml: "}},
	} {
		_, err := load(t, c.text, c.env)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q", c.text, err, want)
			}
		}
	}
}
