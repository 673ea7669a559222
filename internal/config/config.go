// Package config reads Millrace's configuration: defaults in code, a strict YAML file
// over them, the environment over both.
package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// envPrefix begins the names of variables: MILLRACE_KAFKA_BROKERS is kafka.brokers.
const envPrefix = "MILLRACE_"

// Secret is a string that Show does not show.
type Secret string

// MarshalYAML hides the value.
func (s Secret) MarshalYAML() (any, error) {
	if s == "" {
		return "", nil
	}
	return "(hidden)", nil
}

// Bytes is a size: 64MiB, 1GB, 4096.
type Bytes int64

// UnmarshalText reads a number with or without a unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	units := []struct {
		name string
		n    int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}
	unit := int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = strings.TrimSpace(rest), u.n
			break
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 {
		return fmt.Errorf("%q is not a size such as 64MiB", text)
	}
	*b = Bytes(f * float64(unit))
	return nil
}

// MarshalText writes the largest unit that divides the size.
func (b Bytes) MarshalText() ([]byte, error) {
	for i, u := range []string{"GiB", "MiB", "KiB"} {
		if n := Bytes(1) << (30 - 10*i); b >= n && b%n == 0 {
			return fmt.Appendf(nil, "%d%s", b/n, u), nil
		}
	}
	return fmt.Appendf(nil, "%d", int64(b)), nil
}

// UnmarshalYAML reads it from a scalar.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error { return b.UnmarshalText([]byte(n.Value)) }

// MarshalYAML writes it as MarshalText does.
func (b Bytes) MarshalYAML() (any, error) {
	text, err := b.MarshalText()
	return string(text), err
}

// Validator is what a configuration, or any part of it, may implement.
type Validator interface{ Validate() error }

// Load returns defaults with what the file at path, where path is not empty, and the
// environment say instead. All that is wrong is told at once, with file, line, key and,
// for a key that is unknown, the nearest that is known.
func Load[T any](path string, defaults T, environ []string) (T, error) {
	cfg := defaults
	var wrong []error
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return cfg, fmt.Errorf("config: %w", err)
		}
		wrong = append(wrong, decode(path, data, &cfg)...)
	}
	wrong = append(wrong, fromEnvironment(environ, reflect.ValueOf(&cfg).Elem())...)
	if len(wrong) == 0 {
		wrong = append(wrong, validate(reflect.ValueOf(cfg))...)
	}
	return cfg, errors.Join(wrong...)
}

// Show renders a configuration as YAML, secrets hidden.
func Show(cfg any) ([]byte, error) {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(cfg); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return []byte(b.String()), nil
}

func decode(path string, data []byte, into any) []error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return []error{fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return set(path, "", doc.Content[0], reflect.ValueOf(into).Elem())
}

// set fills v from n, field by field, so that each fault has its line and key.
func set(path, key string, n *yaml.Node, v reflect.Value) []error {
	if v.Kind() != reflect.Struct || hasText(v) {
		if err := n.Decode(v.Addr().Interface()); err != nil {
			return []error{fmt.Errorf("%s:%d: %s: %q is not %s", path, n.Line, key, n.Value, kindOf(v.Type()))}
		}
		return nil
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return []error{fmt.Errorf("%s:%d: %s has keys of its own: %s", path, n.Line, orTop(key), strings.Join(names(v.Type()), ", "))}
	}
	var wrong []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		full := join(key, name)
		f, ok := field(v, name)
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s:%d: there is no key %s%s", path, n.Content[i].Line, full, nearest(key, name, names(v.Type()))))
			continue
		}
		wrong = append(wrong, set(path, full, n.Content[i+1], f)...)
	}
	return wrong
}

func hasText(v reflect.Value) bool {
	if !v.CanAddr() {
		return false
	}
	switch v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler, yaml.Unmarshaler:
		return true
	}
	return false
}

func orTop(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// nameOf is a field's key.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

func names(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if n := nameOf(t.Field(i)); n != "" && n != "-" {
			out = append(out, n)
		}
	}
	return out
}

func field(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if nameOf(v.Type().Field(i)) == name && name != "-" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// fromEnvironment sets the fields whose variables are there.
func fromEnvironment(environ []string, v reflect.Value) []error {
	var wrong []error
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || rest == "CONFIG" || strings.HasPrefix(rest, "TEST_") || rest == "CHDB" {
			continue
		}
		f, key, ok := envField(v, rest, "")
		if !ok {
			wrong = append(wrong, fmt.Errorf("environment: %s names no key of the configuration", name))
			continue
		}
		if err := setText(f, value); err != nil {
			wrong = append(wrong, fmt.Errorf("environment: %s: %s: %q is not %s", name, key, value, kindOf(f.Type())))
		}
	}
	return wrong
}

// envField finds the field that KAFKA_BROKERS names.
func envField(v reflect.Value, name, key string) (reflect.Value, string, bool) {
	for i := range v.NumField() {
		n := nameOf(v.Type().Field(i))
		if n == "" || n == "-" {
			continue
		}
		upper := strings.ToUpper(n)
		f := v.Field(i)
		if name == upper && (f.Kind() != reflect.Struct || hasText(f)) {
			return f, join(key, n), true
		}
		if rest, ok := strings.CutPrefix(name, upper+"_"); ok && f.Kind() == reflect.Struct {
			if g, k, ok := envField(f, rest, join(key, n)); ok {
				return g, k, true
			}
		}
	}
	return reflect.Value{}, "", false
}

func setText(f reflect.Value, value string) error {
	if t, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(value))
	}
	if f.Kind() == reflect.String {
		f.SetString(value)
		return nil
	}
	if f.Kind() == reflect.Slice {
		value = "[" + value + "]"
	}
	return yaml.Unmarshal([]byte(value), f.Addr().Interface())
}

// validate asks every part, the innermost first.
func validate(v reflect.Value) []error {
	var wrong []error
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				wrong = append(wrong, validate(v.Field(i))...)
			}
		}
	}
	if c, ok := v.Interface().(Validator); ok {
		if err := c.Validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("config: %w", err))
		}
	}
	return wrong
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s"
	case t == reflect.TypeFor[Bytes]():
		return "a size such as 64MiB"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// nearest names the known key that is likeliest meant.
func nearest(key, name string, known []string) string {
	best, least := "", len(name)/2+1
	for _, k := range known {
		if d := distance(name, k); d < least || strings.HasPrefix(k, name) && best == "" {
			best, least = k, d
		}
	}
	if best == "" {
		slices.Sort(known)
		return "; known are " + strings.Join(known, ", ")
	}
	return "; did you mean " + join(key, best) + "?"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
