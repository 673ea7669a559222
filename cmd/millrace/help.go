package main

import (
	"context"
	"flag"
	"fmt"
	"io"
)

func printHelp(w io.Writer) {
	fmt.Fprint(w, `Millrace turns what an LLM application sees and hears into clean, queryable data
and, when the world drifts, into a better model.

Usage: millrace COMMAND [FLAGS]

`)
	for _, g := range groups() {
		fmt.Fprintf(w, "%s\n", g.title)
		for _, c := range g.commands {
			fmt.Fprintf(w, "  %-12s %s\n", c.name, c.summary)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, `millrace help COMMAND shows a command's flags. Configuration is read from
millrace.yaml in the working directory, or the file that --config names; the
environment (MILLRACE_KAFKA_BROKERS for kafka.brokers) goes over it.
`)
}

type group struct {
	title    string
	commands []*command
}

func groups() []group {
	return []group{
		{"Run", []*command{demoCommand(), upCommand(), importCommand()}},
		{"Ask", []*command{sqlCommand(), statusCommand(), traceCommand(), lakeCommand(), verifyCommand()}},
		{"Mend", []*command{deadlettersCommand(), rebuildCommand()}},
		{"Models", []*command{modelsCommand(), trainCommand()}},
		{"Set up", []*command{configCommand(), gatewayCommand(), completionCommand(), versionCommand(), helpCommand()}},
	}
}

func commands() []*command {
	var all []*command
	for _, g := range groups() {
		all = append(all, g.commands...)
	}
	return all
}

func commandNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// didYouMean names the nearest of the known names, where one is near.
func didYouMean(prefix, name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
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

func helpCommand() *command {
	return &command{name: "help", args: "[COMMAND]", summary: "Show this, or a command's flags.",
		define: func(*flag.FlagSet) func(context.Context, *environment, []string) error {
			return func(_ context.Context, env *environment, args []string) error {
				if len(args) == 0 {
					printHelp(env.stdout)
					return nil
				}
				c := find(args[0])
				if c == nil {
					fmt.Fprintf(env.stderr, "millrace help: there is no command %q%s\n", args[0], didYouMean("", args[0], commandNames()))
					return errUsage
				}
				c.usage(env.stdout)
				return nil
			}
		}}
}

func versionCommand() *command {
	return &command{name: "version", summary: "Print the version.",
		define: func(*flag.FlagSet) func(context.Context, *environment, []string) error {
			return func(_ context.Context, env *environment, _ []string) error {
				_, err := fmt.Fprintln(env.stdout, "millrace", version)
				return err
			}
		}}
}
