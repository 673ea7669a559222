// Package config reads Millrace's configuration: defaults in code, a strict YAML file
// over them, the environment over both.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"

	"gopkg.in/yaml.v3"
)

// Validator is what a configuration, or any part of it, may implement.
type Validator interface{ Validate() error }

// Load returns defaults with what the file at path, where path is not empty, and the
// environment say instead. environ is as os.Environ gives it.
//
// All that is wrong is told at once, one error a fault, joined: each with file, line and
// key, what the key wants and what was given, and for a key that is unknown the nearest
// one that is known. Only where nothing else is wrong are Validators asked, the innermost
// first.
func Load[T any](path string, defaults T, environ []string) (T, error) {
	cfg := defaults
	var wrong []error
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return cfg, fmt.Errorf("config: %w", err)
		}
		wrong = append(wrong, decode(path, data, reflect.ValueOf(&cfg).Elem())...)
	}
	wrong = append(wrong, fromEnvironment(environ, reflect.ValueOf(&cfg).Elem())...)
	if len(wrong) == 0 {
		wrong = append(wrong, validate(reflect.ValueOf(cfg))...)
	}
	return cfg, errors.Join(wrong...)
}

// Show renders a configuration as YAML that Load reads, secrets hidden.
func Show(cfg any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(cfg); err != nil {
		return nil, fmt.Errorf("config: render: %w", err)
	}
	return b.Bytes(), nil
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
