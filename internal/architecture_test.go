package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/millrace-io/millrace/"

// rooms are the folders whose children do not import each other.
var rooms = []string{"producers", "processors", "sinks", "trainers"}

// TestImports keeps the walls: schemas imports nothing of ours, the rooms import
// schemas, kernels and internal only, never each other, and the demo is seen by the
// command alone.
func TestImports(t *testing.T) {
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		from := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		f, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			to, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if to, ok := strings.CutPrefix(to, module); ok {
				if why := forbidden(from, to, strings.HasSuffix(path, "_test.go")); why != "" {
					t.Errorf("%s imports %s: %s", path, to, why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func forbidden(from, to string, test bool) string {
	fromRoom, toRoom := room(from), room(to)
	switch {
	case strings.HasPrefix(from, "integration"), strings.HasPrefix(from, "cmd/millrace"):
		return ""
	case to == "internal/demo" || strings.HasPrefix(to, "cmd/"):
		return "only cmd/millrace sees it"
	case strings.HasPrefix(from, "schemas") && !strings.HasPrefix(to, "schemas"):
		return "schemas imports nothing of ours"
	case strings.HasPrefix(from, "kernels") && !strings.HasPrefix(to, "kernels"):
		return "kernels import nothing of ours"
	case from == "internal/demo":
		return ""
	case strings.HasPrefix(from, "internal") && toRoom != "" && !test:
		return "internal is below the rooms"
	case fromRoom == "" || toRoom == "" || fromRoom == toRoom && (child(from) == child(to) || child(to) == ""):
		return ""
	case fromRoom == "trainers" && toRoom == "trainers":
		return "" // its children build on each other; the compiler forbids cycles
	case to == "producers/client" && fromRoom == "producers":
		return "" // the SDK is how every producer writes
	case fromRoom != "":
		return "rooms do not import each other"
	}
	return ""
}

func room(path string) string {
	top, _, _ := strings.Cut(path, "/")
	for _, r := range rooms {
		if top == r {
			return r
		}
	}
	return ""
}

func child(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}
