// Command gen writes everything that is generated from proto/*.proto.
//
//	go run . [-check] DIR
//
// DIR is the folder schemas of the repository. With -check nothing is written: it exits
// with 1 and names each file that is not what the definitions say.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail where a file is stale")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: gen [-check] SCHEMAS_FOLDER")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	set, err := load(filepath.Join(dir, "proto"))
	if err != nil {
		return err
	}
	files, err := generate(set)
	if err != nil {
		return err
	}
	stale, err := compare(dir, files)
	if err != nil {
		return err
	}
	if check {
		if len(stale) > 0 {
			return fmt.Errorf("stale, run go generate ./schemas: %s", strings.Join(stale, ", "))
		}
		return nil
	}
	return write(dir, files, stale)
}

// generate makes all files, by their path relative to the folder schemas.
func generate(set *Set) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, each := range []func(*Set, map[string][]byte) error{
		events, kinds, clickhouse, parquet, arrow, jsonSchemas, reference,
	} {
		if err := each(set, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// compare names the files that differ from what is on disk, and generated files on disk
// that nothing generates any more.
func compare(dir string, files map[string][]byte) ([]string, error) {
	var stale []string
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if err != nil || !bytes.Equal(got, want) {
			stale = append(stale, name)
		}
	}
	for _, pattern := range []string{"*.gen.go", "*/*.gen.go", "json/*.json"} {
		there, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", pattern, err)
		}
		for _, path := range there {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return nil, fmt.Errorf("name %s: %w", path, err)
			}
			if _, ok := files[name]; !ok {
				stale = append(stale, name)
			}
		}
	}
	slices.Sort(stale)
	return stale, nil
}

// write brings the stale files up to date and removes those that are no longer made.
func write(dir string, files map[string][]byte, stale []string) error {
	for _, name := range stale {
		path := filepath.Join(dir, name)
		content, ok := files[name]
		if !ok {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove %s: %w", name, err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", name, err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
