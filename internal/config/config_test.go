package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Brokers []string `yaml:"brokers"`
	MaxLog  Bytes    `yaml:"max_log"`
	Key     Secret   `yaml:"key"`
}

type server struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
}

type sample struct {
	Data    string            `yaml:"data"`
	Kafka   inner             `yaml:"kafka"`
	Linger  time.Duration     `yaml:"linger"`
	N       int               `yaml:"n"`
	Most    int               `yaml:"most_bytes"`
	Named   map[string]server `yaml:"named"`
	Rate    float64           `yaml:"rate"`
	On      bool              `yaml:"on"`
	Servers []server          `yaml:"servers"`
	hidden  int               //nolint:unused // the file may not set it
}

func (s sample) Validate() error {
	if s.N < 0 {
		return errors.New("n must not be negative")
	}
	return nil
}

func load(t testing.TB, text string, environ ...string) (sample, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, sample{Data: "d", N: 7, Linger: time.Second}, environ)
}

func TestLoad(t *testing.T) {
	got, err := load(t, "data: x\nkafka:\n  brokers: [a, b]\n  max_log: 64MiB\nlinger: 2s\nrate:\nservers:\n- {host: h, port: 1}\n- host: i\n",
		"MILLRACE_KAFKA_KEY=s", "MILLRACE_N=9", "OTHER=1", "MILLRACE_KAFKA_BROKERS=c, d", "MILLRACE_ON=true", "MILLRACE_TEST_X=1")
	if err != nil {
		t.Fatal(err)
	}
	want := sample{Data: "x", Kafka: inner{Brokers: []string{"c", "d"}, MaxLog: 64 << 20, Key: "s"}, Linger: 2 * time.Second, N: 9,
		On: true, Servers: []server{{"h", 1}, {"i", 0}}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		if got, err := load(t, empty); err != nil || got.N != 7 {
			t.Errorf("%q gave %+v, %v", empty, got, err)
		}
	}
}

// TestShow checks that what is shown can be loaded again, and holds no secret.
func TestShow(t *testing.T) {
	cfg := sample{Data: "x", Kafka: inner{Brokers: []string{"a"}, MaxLog: 3 << 30, Key: "tell-nobody"}, Linger: 90 * time.Second, Rate: .5}
	shown, err := Show(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"max_log: 3GiB", "linger: 1m30s", "key: (hidden)"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("got %s, want %q in it", shown, want)
		}
	}
	again, err := load(t, string(shown))
	cfg.Kafka.Key, cfg.Servers = again.Kafka.Key, again.Servers
	if err != nil || !reflect.DeepEqual(again, cfg) {
		t.Errorf("loaded %+v, %v; want %+v", again, err, cfg)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", cfg.Kafka.Key, "all", sample{Kafka: inner{Key: "tell-nobody"}})
	text := string(shown) + log.String() + fmt.Sprintf("%v %+v %#v %s", Secret("tell-nobody"), inner{Key: "tell-nobody"}, Secret("tell-nobody"), Secret("tell-nobody"))
	if strings.Contains(text, "tell-nobody") {
		t.Errorf("a secret was told: %s", text)
	}
}

// TestSizes: whatever holds a count of bytes takes a size with a unit.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		text, env string
		want      int
	}{{"most_bytes: 64KiB\n", "", 64 << 10}, {"most_bytes: 4096\n", "", 4096}, {"n: 1\n", "MILLRACE_MOST_BYTES=1MiB", 1 << 20}} {
		var environ []string
		if c.env != "" {
			environ = []string{c.env}
		}
		if got, err := load(t, c.text, environ...); err != nil || got.Most != c.want {
			t.Errorf("%q, %q: got %d, %v, want %d", c.text, c.env, got.Most, err, c.want)
		}
	}
	if _, err := load(t, "most_bytes: many\n"); err == nil || !strings.Contains(err.Error(), `most_bytes wants a size such as 64MiB, got "many"`) {
		t.Errorf("got %v", err)
	}
}

// TestNamed: a map's keys are the user's, and its values are checked as everything is.
func TestNamed(t *testing.T) {
	got, err := load(t, "named:\n  one: {host: a, port: 1}\n  two: {host: b}\n")
	if want := map[string]server{"one": {Host: "a", Port: 1}, "two": {Host: "b"}}; err != nil || !maps.Equal(got.Named, want) {
		t.Errorf("got %v, %v, want %v", got.Named, err, want)
	}
	for text, want := range map[string]string{
		"named:\n  one: {hst: a}\n":                    "there is no key named.one.hst; did you mean named.one.host?",
		"named: [1]\n":                                 "named has keys that you choose, got a list",
		"named:\n  one: {host: a}\n  one: {host: b}\n": "named.one stands twice",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		text string
		env  string
		want []string
	}{
		{"kafka:\n  broker: [a]\nlingr: 2s\n", "", []string{":2: there is no key kafka.broker; did you mean kafka.brokers?", ":3: there is no key lingr; did you mean linger?"}},
		{"zzzzzz: 1\n", "", []string{":1: there is no key zzzzzz; known are data, kafka, linger"}},
		{"hidden: 1\n", "", []string{"there is no key hidden"}},
		{"linger: soon\n", "", []string{`:1: linger wants a duration such as 30s, got "soon"`}},
		{"linger: 30\n", "", []string{`:1: linger wants a duration such as 30s, got "30"`}},
		{"n: many\ndata: [a]\non: 3\nrate: x\n", "", []string{`:1: n wants a whole number, got "many"`, ":2: data wants a text, got a list", `:3: on wants true or false, got "3"`, ":4: rate wants a number"}},
		{"n: 1.5\n", "", []string{`n wants a whole number, got "1.5"`}},
		{"kafka: 3\n", "", []string{`:1: kafka has keys of its own (brokers, max_log, key), got "3"`}},
		{"kafka:\n  brokers: a\n", "", []string{`:2: kafka.brokers wants a list, got "a"`}},
		{"servers:\n- host: a\n- hst: b\n", "", []string{":3: there is no key servers[1].hst; did you mean servers[1].host?"}},
		{"[1, 2]\n", "", []string{":1: the file has keys of its own"}},
		{"n: 1\nn: 2\n", "", []string{":2: n stands twice, first on line 1"}},
		{"n: 1\n---\nn: 2\n", "", []string{"a second document"}},
		{"n: -1\n", "", []string{"n must not be negative"}},
		{"kafka: {max_log: many}\n", "", []string{`kafka.max_log wants a size such as 64MiB, got "many"`}},
		{"n: 1\n", "MILLRACE_KAFKA_BROKER=x", []string{"MILLRACE_KAFKA_BROKER names no key; did you mean MILLRACE_KAFKA_BROKERS?"}},
		{"n: 1\n", "MILLRACE_LINGER=30", []string{`MILLRACE_LINGER: linger wants a duration such as 30s, got "30"`}},
		{"n: 1\n", "MILLRACE_N=", []string{`MILLRACE_N: n wants a whole number, got ""`}},
		{"n: [1\n", "", []string{"c.yaml: "}},
	} {
		_, err := load(t, c.text, c.env)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q %s: got %v, want %q", c.text, c.env, err, want)
			}
		}
	}
	if _, err := Load("/nowhere.yaml", sample{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there gave %v", err)
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want Bytes
	}{{"0", 0}, {"4096", 4096}, {"64MiB", 64 << 20}, {"64 mib", 64 << 20}, {"1GB", 1e9}, {"1.5KiB", 1536}, {"12B", 12}} {
		var b, again Bytes
		if err := b.UnmarshalText([]byte(c.text)); err != nil || b != c.want {
			t.Errorf("%q: got %d, %v, want %d", c.text, b, err, c.want)
		}
		if err := again.UnmarshalText([]byte(b.String())); err != nil || again != b {
			t.Errorf("%q: %s is read as %d, %v", c.text, b, again, err)
		}
	}
	for _, text := range []string{"", "-1", "NaN", "Inf", "9999999TiB", "MiB", "1 2"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, b)
		}
	}
}

// FuzzLoad checks that whatever stands in a file gives a configuration or an error that
// names the file.
func FuzzLoad(f *testing.F) {
	f.Add("data: x\nkafka: {brokers: [a, b], max_log: 1KiB}\n")
	f.Add("a: &a {n: 1}\nkafka: *a\n")
	f.Add("servers: [{host: a}, 3, null]\n")
	f.Fuzz(func(t *testing.T, text string) {
		var into sample
		for _, err := range decode("c.yaml", []byte(text), reflect.ValueOf(&into).Elem()) {
			if !strings.HasPrefix(err.Error(), "c.yaml:") {
				t.Fatalf("%q: %v does not name the file", text, err)
			}
		}
	})
}
