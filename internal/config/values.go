package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// hidden stands for a secret wherever one would be shown.
const hidden = "(hidden)"

// Secret is a string that neither Show, nor a log, nor a message built with fmt shows.
// string(s) is its value.
type Secret string

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalYAML hides the value.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalText hides the value from JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Bytes is a size: 64MiB, 1GB, 4096.
type Bytes int64

// unit is one of size's.
type unit struct {
	name  string
	bytes float64
}

// sizeUnits are tried in this order, so that MiB is not taken for B.
func sizeUnits() []unit {
	return []unit{
		{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
		{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
	}
}

// UnmarshalText reads a number with or without a unit, in any case.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, scale := strings.ToLower(strings.TrimSpace(string(text))), 1.0
	for _, u := range sizeUnits() {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, scale = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f*scale < math.MaxInt64) { // NaN is no size either
		return fmt.Errorf("%q is not a size such as 64MiB", text)
	}
	*b = Bytes(math.Round(f * scale))
	return nil
}

// String writes the largest unit that divides the size, so that reading it again gives
// the same size.
func (b Bytes) String() string {
	for i, u := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := Bytes(1) << (40 - 10*i); b >= n && b%n == 0 {
			return fmt.Sprintf("%d%s", b/n, u)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes it as String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalYAML reads it from a scalar.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error { return b.UnmarshalText([]byte(n.Value)) }

// MarshalYAML writes it as String does.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }
