package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/config"
	embeddedkafka "github.com/millrace-io/millrace/internal/embedded/kafka"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/verify"
	"github.com/millrace-io/millrace/processors/clean"
	"github.com/millrace-io/millrace/processors/drift"
	"github.com/millrace-io/millrace/processors/join"
	"github.com/millrace-io/millrace/processors/predict"
	"github.com/millrace-io/millrace/producers/collector"
	"github.com/millrace-io/millrace/producers/gateway"
	"github.com/millrace-io/millrace/sinks/clickhouse"
	"github.com/millrace-io/millrace/sinks/parquet"
	"github.com/millrace-io/millrace/trainers"
	"github.com/millrace-io/millrace/trainers/classifier"
	"github.com/millrace-io/millrace/trainers/policy"
	"github.com/millrace-io/millrace/trainers/runner"
)

// Config is the whole configuration.
type Config struct {
	// Data is the folder of the embedded engines, local state and objects.
	Data string `yaml:"data"`
	// Listen is where the HTTP interface listens.
	Listen string `yaml:"listen"`
	// Tenant is given to events that name none.
	Tenant string `yaml:"tenant"`
	// Model is the name of the model that predict answers with.
	Model string `yaml:"model"`
	// Loop is observe, propose or auto.
	Loop trainers.Loop `yaml:"loop"`
	// Memory is what the process should stay below, the embedded ClickHouse aside: nearer to
	// it, it collects garbage more often. It is a target, and 0 is none; GOMEMLIMIT, where
	// it is set, comes first.
	Memory config.Bytes `yaml:"memory"`
	// Secret authenticates what Millrace writes to its inputs; made in Data where empty.
	Secret     config.Secret       `yaml:"secret"`
	Objects    ObjectsConfig       `yaml:"objects"`
	Kafka      KafkaConfig         `yaml:"kafka"`
	ClickHouse ClickHouseConfig    `yaml:"clickhouse"`
	Topics     bus.TopicsConfig    `yaml:"topics"`
	Rules      rules.Config        `yaml:"rules"`
	Clean      clean.Config        `yaml:"clean"`
	Join       join.Config         `yaml:"join"`
	Predict    predict.Config      `yaml:"predict"`
	Drift      drift.Config        `yaml:"drift"`
	Policy     policy.Config       `yaml:"policy"`
	Runner     runner.Config       `yaml:"runner"`
	Classifier classifier.Config   `yaml:"classifier"`
	Sinks      SinksConfig         `yaml:"sinks"`
	Ledger     verify.LedgerConfig `yaml:"ledger"`
	Retention  verify.Retention    `yaml:"retention"`
	Collector  collector.Config    `yaml:"collector"`
	Gateway    gateway.Config      `yaml:"gateway"`
}

// ObjectsConfig says where lake, models and checkpoints lie.
type ObjectsConfig struct {
	// URL is a folder, as a path or as file://…; the folder objects in Data where empty.
	// All processes of a deployment share it.
	URL string `yaml:"url"`
}

// folder is the path of URL.
func (c ObjectsConfig) folder(data string) (string, error) {
	if c.URL == "" {
		return filepath.Join(data, "objects"), nil
	}
	u, err := url.Parse(c.URL)
	switch {
	case err == nil && u.Scheme == "file" && u.Host == "" && u.Path != "":
		return u.Path, nil
	case err == nil && u.Scheme != "":
		return "", fmt.Errorf("objects.url: %q is no folder: a path or file:///path is taken", c.URL)
	}
	return c.URL, nil
}

// KafkaConfig names the user's cluster, or sets up the embedded broker.
type KafkaConfig struct {
	// Brokers of the user's cluster; empty for the embedded broker.
	Brokers []string `yaml:"brokers"`
	// SessionTimeout is how long a process that died, or hangs, keeps its partitions.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// Listen and MaxLogBytes are the embedded broker's.
	Listen      string       `yaml:"listen"`
	MaxLogBytes config.Bytes `yaml:"max_log_bytes"`
}

// ClickHouseConfig names the user's server, or sets up the embedded engine.
type ClickHouseConfig struct {
	// DSN of the user's server, http://… or clickhouse://…; empty for the embedded engine.
	DSN config.Secret `yaml:"dsn"`
	// Database holds the tables.
	Database string `yaml:"database"`
	// Listen, Library and MaxMemory are the embedded engine's.
	Listen    string       `yaml:"listen"`
	Library   string       `yaml:"library"`
	MaxMemory config.Bytes `yaml:"max_memory"`
}

// SinksConfig bounds the sinks' batches.
type SinksConfig struct {
	ClickHouse clickhouse.Config `yaml:"clickhouse"`
	Parquet    parquet.Config    `yaml:"parquet"`
}

func defaultConfig() Config {
	return Config{
		Data: "millrace-data", Listen: "127.0.0.1:8080", Tenant: "default", Model: "default", Loop: trainers.Auto, Memory: 1536 << 20,
		Kafka:      KafkaConfig{SessionTimeout: 8 * time.Second, Listen: "127.0.0.1:9092", MaxLogBytes: 8 << 30},
		ClickHouse: ClickHouseConfig{Database: "millrace", Listen: "127.0.0.1:8123", MaxMemory: 4 << 30},
		Topics:     bus.DefaultTopicsConfig(), Rules: rules.DefaultConfig(), Clean: clean.DefaultConfig(), Join: join.DefaultConfig(),
		Predict: predict.DefaultConfig(), Drift: drift.DefaultConfig(), Policy: policy.DefaultConfig(), Runner: runner.DefaultConfig(),
		Classifier: classifier.DefaultConfig(),
		Sinks:      SinksConfig{ClickHouse: clickhouse.DefaultConfig(), Parquet: parquet.DefaultConfig()},
		Ledger:     verify.DefaultLedgerConfig(), Retention: verify.DefaultRetention(),
		Collector: collector.DefaultConfig(), Gateway: gateway.DefaultConfig(),
	}
}

// Validate says what is wrong with c as a whole.
func (c Config) Validate() error {
	if c.Data == "" || c.Tenant == "" || c.Model == "" {
		return errors.New("data, tenant and model must not be empty")
	}
	if c.Memory != 0 && c.Memory < 256<<20 {
		return fmt.Errorf("memory must be 0 or 256MiB and more, got %d bytes", c.Memory)
	}
	if len(c.Secret) > 0 && len(c.Secret) < 32 {
		return fmt.Errorf("secret must have 32 characters or more, it has %d", len(c.Secret))
	}
	if least := 6 * time.Second; c.Kafka.SessionTimeout < least {
		return fmt.Errorf("kafka.session_timeout is %s; brokers take %s or more, unless they are told otherwise", c.Kafka.SessionTimeout, least)
	}
	if least := config.Bytes(embeddedkafka.LeastLogBytes); len(c.Kafka.Brokers) == 0 && c.Kafka.MaxLogBytes < least {
		return fmt.Errorf("kafka.max_log_bytes is %s, the embedded broker's least is %s", c.Kafka.MaxLogBytes, least)
	}
	if c.Policy.Recipe != "classifier" {
		return fmt.Errorf("policy: there is no recipe %q: classifier is known", c.Policy.Recipe)
	}
	for _, name := range c.Retention.Without {
		if !slices.Contains(roleNames, name) {
			return fmt.Errorf("retention.without: there is no role %q: known are %s", name, strings.Join(roleNames, ", "))
		}
	}
	if _, err := c.Objects.folder(c.Data); err != nil {
		return err
	}
	if err := c.Collector.Fits(c.Topics.MaxInputBytes); err != nil {
		return err
	}
	return c.Loop.Validate()
}

// defaultFile is read where --config names none and it exists.
const defaultFile = "millrace.yaml"

// common are the flags of every command that works on a deployment.
type common struct {
	file, data, listen, kafkaListen, clickhouseListen string
	verbose                                           bool
}

func (c *common) define(fs *flag.FlagSet) {
	fs.StringVar(&c.file, "config", "", "configuration `FILE` (default millrace.yaml, where it exists)")
	fs.StringVar(&c.data, "data", "", "`DIR` of the embedded engines, state and objects (default millrace-data)")
	fs.StringVar(&c.listen, "listen", "", "`ADDRESS` of the HTTP interface (default 127.0.0.1:8080)")
	fs.StringVar(&c.kafkaListen, "kafka-listen", "", "`ADDRESS` of the embedded broker (default 127.0.0.1:9092)")
	fs.StringVar(&c.clickhouseListen, "clickhouse-listen", "", "`ADDRESS` of the embedded ClickHouse (default 127.0.0.1:8123)")
	fs.BoolVar(&c.verbose, "verbose", false, "log more")
}

// long is a flag's duration, which says how one is written.
type long time.Duration

// Set implements flag.Value.
func (l *long) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return errors.New("say a time such as 90s, 15m or 24h")
	}
	*l = long(d)
	return nil
}

func (l *long) String() string { return time.Duration(*l).String() }

// load reads the configuration and puts the flags over it.
func (c *common) load() (Config, error) {
	path := c.file
	if path == "" {
		if _, err := os.Stat(defaultFile); err == nil {
			path = defaultFile
		}
	}
	cfg, err := config.Load(path, defaultConfig(), os.Environ())
	if err != nil {
		return cfg, err
	}
	for _, o := range []struct {
		flag string
		into *string
	}{{c.data, &cfg.Data}, {c.listen, &cfg.Listen}, {c.kafkaListen, &cfg.Kafka.Listen}, {c.clickhouseListen, &cfg.ClickHouse.Listen}} {
		if o.flag != "" {
			*o.into = o.flag
		}
	}
	cfg.Policy.Loop, cfg.Policy.Model = cfg.Loop, cfg.Model
	return cfg, nil
}

func configCommand() *command {
	return &command{name: "config", args: "check|show [FLAGS]", summary: "Check the configuration, or show it with its defaults.",
		define: func(fs *flag.FlagSet) func(context.Context, *environment, []string) error {
			var flags common
			flags.define(fs)
			return func(_ context.Context, env *environment, args []string) error {
				if len(args) != 1 || args[0] != "check" && args[0] != "show" {
					fmt.Fprintln(env.stderr, "millrace config: say check or show")
					return errUsage
				}
				cfg, err := flags.load()
				if err != nil {
					return err
				}
				if args[0] == "check" {
					_, err = fmt.Fprintln(env.stdout, "the configuration is sound")
					return err
				}
				text, err := config.Show(cfg)
				if err != nil {
					return err
				}
				_, err = env.stdout.Write(text)
				return err
			}
		}}
}
