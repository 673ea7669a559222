package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// file is one YAML file on its way into a configuration.
type file struct {
	path  string
	wrong []error
}

func decode(path string, data []byte, into reflect.Value) []error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return []error{fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	f := &file{path: path}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		f.fault(&more, "a second document begins; a configuration is one")
	}
	f.set("", doc.Content[0], into)
	return f.wrong
}

func (f *file) fault(n *yaml.Node, format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Errorf("%s:%d: %s", f.path, n.Line, fmt.Sprintf(format, args...)))
}

// set fills v from n, field by field, so that each fault has its line and key. A null
// leaves the default.
func (f *file) set(key string, n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
	case readsItself(v):
		f.scalar(key, n, v)
	case v.Kind() == reflect.Struct:
		f.mapping(key, n, v)
	case v.Kind() == reflect.Slice:
		f.list(key, n, v)
	case v.Kind() == reflect.Map:
		f.named(key, n, v)
	default:
		f.scalar(key, n, v)
	}
}

// sizeKey is the end of the keys that count bytes: whatever holds them, a size with a unit is
// taken.
const sizeKey = "_bytes"

func (f *file) scalar(key string, n *yaml.Node, v reflect.Value) {
	if v.CanInt() && v.Type() != reflect.TypeFor[Bytes]() && strings.HasSuffix(key, sizeKey) {
		var size Bytes
		if size.UnmarshalText([]byte(n.Value)) != nil || v.OverflowInt(int64(size)) {
			f.fault(n, "%s wants %s, got %s", key, wants(reflect.TypeFor[Bytes]()), got(n))
			return
		}
		v.SetInt(int64(size))
		return
	}
	// yaml would take a bare number for nanoseconds, which nobody means, and cut 1.5 down
	// to a whole number.
	bare := v.Type() == reflect.TypeFor[time.Duration]() && n.Tag != "!!str" && n.Value != "0"
	cut := (v.CanInt() || v.CanUint()) && n.Tag == "!!float" && !readsItself(v)
	into := reflect.New(v.Type())
	if bare || cut || n.Decode(into.Interface()) != nil {
		f.fault(n, "%s wants %s, got %s", key, wants(v.Type()), got(n))
		return
	}
	v.Set(into.Elem())
}

func (f *file) list(key string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		f.fault(n, "%s wants %s, got %s", key, wants(v.Type()), got(n))
		return
	}
	all := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		f.set(fmt.Sprintf("%s[%d]", key, i), item, all.Index(i))
	}
	v.Set(all)
}

// named reads a map of things that the user names.
func (f *file) named(key string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		f.fault(n, "%s has keys that you choose, got %s", key, got(n))
		return
	}
	if len(n.Content) == 0 {
		v.SetZero()
		return
	}
	all := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := n.Content[i]
		name := reflect.ValueOf(at.Value).Convert(v.Type().Key())
		if all.MapIndex(name).IsValid() {
			f.fault(at, "%s stands twice", join(key, at.Value))
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		f.set(join(key, at.Value), n.Content[i+1], value)
		all.SetMapIndex(name, value)
	}
	v.Set(all)
}

func (f *file) mapping(key string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		what := key
		if what == "" {
			what = "the file"
		}
		f.fault(n, "%s has keys of its own (%s), got %s", what, strings.Join(names(v.Type()), ", "), got(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		full := join(key, at.Value)
		if line, ok := seen[at.Value]; ok {
			f.fault(at, "%s stands twice, first on line %d", full, line)
			continue
		}
		seen[at.Value] = at.Line
		field, ok := fieldOf(v, at.Value)
		if !ok {
			f.fault(at, "there is no key %s%s", full, nearest(join(key, ""), at.Value, names(v.Type())))
			continue
		}
		f.set(full, value, field)
	}
}

// readsItself says whether a value knows how it is written.
func readsItself(v reflect.Value) bool {
	if !v.CanAddr() {
		return false
	}
	switch v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler, yaml.Unmarshaler:
		return true
	}
	return false
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// nameOf is a field's key; empty where it has none.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}

func names(t reflect.Type) []string {
	var all []string
	for i := range t.NumField() {
		if n := nameOf(t.Field(i)); n != "" {
			all = append(all, n)
		}
	}
	return all
}

func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if name != "" && nameOf(v.Type().Field(i)) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}
