package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// envPrefix begins the names of variables: MILLRACE_KAFKA_BROKERS is kafka.brokers.
const envPrefix = "MILLRACE_"

// ours says whether a variable with the prefix is read by something else: the command
// (CONFIG), the search for the ClickHouse library (CHDB), tests.
func ours(rest string) bool {
	return rest == "CONFIG" || rest == "CHDB" || strings.HasPrefix(rest, "TEST_")
}

// fromEnvironment sets the fields whose variables are there.
func fromEnvironment(environ []string, v reflect.Value) []error {
	fields := map[string]envField{}
	var known []string
	collect(v, "", func(f envField) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
		fields[name] = f
		known = append(known, name)
	})
	var wrong []error
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || ours(rest) {
			continue
		}
		f, ok := fields[name]
		if !ok {
			wrong = append(wrong, fmt.Errorf("environment: %s names no key%s", name, nearestVariable(name, known)))
			continue
		}
		if err := setText(f.key, f.value, value); err != nil {
			shown := fmt.Sprintf("%q", value)
			if f.value.Type() == reflect.TypeFor[Secret]() {
				shown = "what it has"
			}
			wrong = append(wrong, fmt.Errorf("environment: %s: %s wants %s, got %s", name, f.key, wants(f.value.Type()), shown))
		}
	}
	return wrong
}

// nearestVariable is nearest for variables, whose common prefix makes all of them near,
// and of which there are too many to list.
func nearestVariable(name string, known []string) string {
	short := make([]string, len(known))
	for i, k := range known {
		short[i] = strings.TrimPrefix(k, envPrefix)
	}
	hint := nearest(envPrefix, strings.TrimPrefix(name, envPrefix), short)
	if !strings.Contains(hint, "?") {
		return ""
	}
	return hint
}

// envField is a field that a variable may set.
type envField struct {
	key   string
	value reflect.Value
}

// collect visits every field that has a key and no keys of its own.
func collect(v reflect.Value, key string, visit func(envField)) {
	for i := range v.NumField() {
		name := nameOf(v.Type().Field(i))
		if name == "" {
			continue
		}
		f, full := v.Field(i), join(key, name)
		if f.Kind() == reflect.Struct && !readsItself(f) {
			collect(f, full, visit)
			continue
		}
		visit(envField{full, f})
	}
}

// setText sets f from a variable: a list is separated by commas, its parts trimmed.
func setText(key string, f reflect.Value, value string) error {
	switch {
	case f.Kind() == reflect.Slice && !readsItself(f):
		var parts []string
		if strings.TrimSpace(value) != "" {
			parts = strings.Split(value, ",")
		}
		all := reflect.MakeSlice(f.Type(), len(parts), len(parts))
		for i, p := range parts {
			if err := setText(key, all.Index(i), strings.TrimSpace(p)); err != nil {
				return err
			}
		}
		f.Set(all)
		return nil
	case f.Kind() == reflect.String && !readsItself(f):
		f.SetString(value)
		return nil
	}
	if t, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(value))
	}
	file := &file{path: "environment"}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(value), &n); err != nil {
		return err
	}
	if len(n.Content) == 0 {
		return fmt.Errorf("the value is empty")
	}
	if file.set(key, n.Content[0], f); len(file.wrong) > 0 {
		return file.wrong[0]
	}
	return nil
}
