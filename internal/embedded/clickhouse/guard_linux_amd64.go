package clickhouse

import (
	"regexp"
	"slices"
	"strings"
)

// tableFunctions are those that a stranger may read from: they reach nothing outside of
// the statement itself.
var tableFunctions = []string{"numbers", "numbers_mt", "zeros", "zeros_mt", "generaterandom", "generateseries", "generate_series", "values", "view", "null", "one"}

// closedFunctions read files or run programs as scalars.
var closedFunctions = []string{"file", "catboostevaluate", "getserversetting", "getossetting", "serveruuid", "sleep", "sleepeachrow"}

// closedTable is system.stack_trace, in whatever database a statement looks for it: it
// signals every thread of the process, which Go's do not survive.
const closedTable = "stack_trace"

// guard lets a stranger's statement pass if it is one statement that only reads, and
// reaches for nothing but tables. Neither readonly nor the role of strangers is such a
// boundary: the scalar file() reads under both.
func guard(c *conn, query string) error {
	if n, readOnly := c.classify(query); n != 1 || !readOnly {
		if n == 0 {
			return nil // it does not parse; the engine says why, and runs nothing
		}
		return newError(497, "default: Not enough privileges: strangers may run one statement that reads, %d were given or it changes something. (ACCESS_DENIED)", n)
	}
	// The statement is explained as it is, its FORMAT included, which the engine ignores
	// here: what is cut off may be no FORMAT at all, but hidden behind a comment.
	ast, err := c.exec("EXPLAIN AST "+query, "TSVRaw")
	if err != nil {
		return err
	}
	tree := string(ast.data)
	if strings.HasPrefix(tree, "Show") {
		if err := guardShow(c, query); err != nil {
			return err
		}
	}
	return guardTree(tree)
}

// quoted are the literals and the quoted names of a statement as the engine writes it.
var quoted = regexp.MustCompile("'(?:[^'\\\\]|\\\\.|'')*'|`(?:[^`\\\\]|\\\\.|``)*`")

// guardShow lets a SHOW pass without any function: its tree leaves out its WHERE.
func guardShow(c *conn, query string) error {
	o, err := c.exec("SELECT formatQuerySingleLine("+quote(query)+")", "TSVRaw")
	if err != nil {
		return err
	}
	bare := quoted.ReplaceAllStringFunc(string(o.data), func(s string) string {
		if s[0] == '\'' {
			return ""
		}
		return s
	})
	if strings.Contains(bare, "(") {
		return denied("a function in SHOW")
	}
	return nil
}

// astTable is a name that may be a table's, also behind IN.
var astTable = regexp.MustCompile(`^(?:Table)?Identifier (?:\S+\.)?(\w+)`)

var astFunction = regexp.MustCompile(`^( *)Function (\S+)`)

// guardTree looks for functions in a syntax tree as EXPLAIN AST prints it, one node a
// line, indented by depth.
func guardTree(tree string) error {
	var path []string // of node names by depth
	for line := range strings.SplitSeq(tree, "\n") {
		depth := len(line) - len(strings.TrimLeft(line, " "))
		path = append(path[:min(depth, len(path))], strings.TrimSpace(line))
		if strings.Contains(strings.ToLower(line), "outfile") {
			return denied("INTO OUTFILE")
		}
		node := path[len(path)-1]
		if strings.HasPrefix(node, "ColumnsApplyTransformer") { // the tree does not name its function
			return denied("APPLY")
		}
		if m := astTable.FindStringSubmatch(node); m != nil && m[1] == closedTable {
			return denied("system." + closedTable)
		}
		m := astFunction.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := strings.ToLower(strings.Trim(m[2], "`\""))
		if slices.Contains(closedFunctions, name) || strings.HasPrefix(name, "dictget") {
			return denied(name)
		}
		parent := ""
		if n := len(path); n > 1 {
			parent = path[n-2]
		}
		isTable := strings.HasPrefix(parent, "TableExpression") || strings.HasPrefix(parent, "DescribeQuery") || strings.HasPrefix(parent, "TableFunction")
		if isTable && !slices.Contains(tableFunctions, name) {
			return denied(name)
		}
	}
	return nil
}

func denied(what string) error {
	return newError(497, "default: Not enough privileges: %s reaches outside of the tables, which strangers may not. (ACCESS_DENIED)", what)
}
