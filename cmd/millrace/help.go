package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
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
		{"Ask", []*command{sqlCommand(), statusCommand(), traceCommand(), verifyCommand()}},
		{"Models", []*command{modelsCommand(), trainCommand()}},
		{"Set up", []*command{configCommand(), completionCommand(), versionCommand()}},
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

func versionCommand() *command {
	return &command{name: "version", summary: "Print the version.",
		define: func(*flag.FlagSet) func(context.Context, *environment, []string) error {
			return func(_ context.Context, env *environment, _ []string) error {
				_, err := fmt.Fprintln(env.stdout, "millrace", version)
				return err
			}
		}}
}

func completionCommand() *command {
	return &command{name: "completion", args: "bash|zsh|fish", summary: "Print a shell's completion script.",
		help: "Load it with: source <(millrace completion bash)",
		define: func(*flag.FlagSet) func(context.Context, *environment, []string) error {
			return func(_ context.Context, env *environment, args []string) error {
				if len(args) != 1 {
					fmt.Fprintln(env.stderr, "millrace completion: name a shell: bash, zsh or fish")
					return errUsage
				}
				return printCompletion(env.stdout, args[0])
			}
		}}
}

func printCompletion(w io.Writer, shell string) error {
	names := commandNames()
	flags := map[string][]string{}
	for _, c := range commands() {
		fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.define(fs)
		fs.VisitAll(func(f *flag.Flag) { flags[c.name] = append(flags[c.name], "--"+f.Name) })
	}
	switch shell {
	case "bash", "zsh":
		if shell == "zsh" {
			fmt.Fprint(w, "autoload -U +X bashcompinit && bashcompinit\n")
		}
		fmt.Fprintf(w, "_millrace() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  if [ $COMP_CWORD -eq 1 ]; then COMPREPLY=($(compgen -W %q -- \"$cur\")); return; fi\n  case ${COMP_WORDS[1]} in\n", strings.Join(names, " "))
		for _, n := range names {
			fmt.Fprintf(w, "  %s) COMPREPLY=($(compgen -f -W %q -- \"$cur\"));;\n", n, strings.Join(flags[n], " "))
		}
		fmt.Fprint(w, "  esac\n}\ncomplete -o filenames -F _millrace millrace\n")
	case "fish":
		for _, c := range commands() {
			fmt.Fprintf(w, "complete -c millrace -n __fish_use_subcommand -a %s -d %q\n", c.name, c.summary)
			for _, f := range flags[c.name] {
				fmt.Fprintf(w, "complete -c millrace -n '__fish_seen_subcommand_from %s' -l %s\n", c.name, strings.TrimPrefix(f, "--"))
			}
		}
	default:
		return fmt.Errorf("there is no completion for %q: bash, zsh and fish have one", shell)
	}
	return nil
}
