package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

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

// completed is what can be completed behind a command.
type completed struct {
	*command
	words []string // one of them may be the first argument
	flags []completedFlag
}

type completedFlag struct {
	name   string
	value  bool     // one follows
	values []string // that are known
}

// word is an argument, or a flag's value, that is typed as it stands in the usage.
var word = regexp.MustCompile(`^[a-z]+$`)

// completions reads off the commands' usage what may be typed: their arguments, as in
// "check|show", their flags, and the values that a flag's usage ends with, as in
// "`KIND` of the events: text, inference".
func completions() []completed {
	var all []completed
	for _, c := range commands() {
		d := completed{command: c}
		for _, a := range strings.Split(c.args, "|") {
			if a, _, _ = strings.Cut(strings.TrimSpace(a), " "); word.MatchString(a) {
				d.words = append(d.words, a)
			}
		}
		if c.args == "[COMMAND]" {
			d.words = commandNames()
		}
		fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.define(fs)
		fs.VisitAll(func(f *flag.Flag) {
			b, ok := f.Value.(interface{ IsBoolFlag() bool })
			d.flags = append(d.flags, completedFlag{f.Name, !ok || !b.IsBoolFlag(), flagValues(f)})
		})
		all = append(all, d)
	}
	return all
}

func flagValues(f *flag.Flag) []string {
	name, usage := flag.UnquoteUsage(f)
	if name == "ROLES" {
		return append([]string{"all"}, roleNames...)
	}
	_, list, _ := strings.Cut(usage, ": ")
	list, _, _ = strings.Cut(list, " (")
	values := strings.Split(list, ", ")
	if slices.ContainsFunc(values, func(v string) bool { return !word.MatchString(v) }) {
		return nil
	}
	return values
}

func printCompletion(w io.Writer, shell string) error {
	switch shell {
	case "bash":
		printBash(w)
	case "zsh":
		fmt.Fprint(w, "autoload -U +X bashcompinit && bashcompinit\n")
		printBash(w)
	case "fish":
		printFish(w)
	default:
		return fmt.Errorf("there is no completion for %q: bash, zsh and fish have one", shell)
	}
	return nil
}

// printBash writes a function for bash, and for zsh, which knows bash's.
func printBash(w io.Writer) {
	fmt.Fprintf(w, `_millrace() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= w
  if [ "$cur" = "=" ]; then cur=; elif [ "$prev" = "=" ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ $COMP_CWORD -eq 1 ]; then COMPREPLY=($(compgen -W %q -- "$cur")); return; fi
  case "${COMP_WORDS[1]} $prev" in
`, strings.Join(commandNames(), " "))
	all := completions()
	for _, c := range all {
		for _, f := range c.flags {
			switch {
			case len(f.values) > 0:
				fmt.Fprintf(w, "  '%s --%s') COMPREPLY=($(compgen -W %q -- \"$cur\")); return;;\n", c.name, f.name, strings.Join(f.values, " "))
			case f.value:
				fmt.Fprintf(w, "  '%s --%s') COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n", c.name, f.name)
			}
		}
	}
	fmt.Fprint(w, "  esac\n  case ${COMP_WORDS[1]} in\n")
	for _, c := range all {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, "--"+f.name)
		}
		if len(c.words) == 0 {
			fmt.Fprintf(w, "  %s) COMPREPLY=($(compgen -f -W %q -- \"$cur\"));;\n", c.name, strings.Join(flags, " "))
			continue
		}
		fmt.Fprintf(w, "  %s) words=%q\n    for w in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do case $w in %s) words=;; esac; done\n    COMPREPLY=($(compgen -W \"$words %s\" -- \"$cur\"));;\n",
			c.name, strings.Join(c.words, " "), strings.Join(c.words, "|"), strings.Join(flags, " "))
	}
	fmt.Fprint(w, "  esac\n}\ncomplete -o filenames -F _millrace millrace\n")
}

func printFish(w io.Writer) {
	for _, c := range completions() {
		fmt.Fprintf(w, "complete -c millrace -n __fish_use_subcommand -a %s -d %q\n", c.name, c.summary)
		seen := "__fish_seen_subcommand_from " + c.name
		if len(c.words) > 0 {
			// What help explains is a command's name too.
			first := seen + "; and test (count (commandline -opc)) -eq 2"
			fmt.Fprintf(w, "complete -c millrace -f -n '%s' -a '%s'\n", first, strings.Join(c.words, " "))
		}
		for _, f := range c.flags {
			line := fmt.Sprintf("complete -c millrace -n '%s' -l %s", seen, f.name)
			switch {
			case len(f.values) > 0:
				line += fmt.Sprintf(" -x -a '%s'", strings.Join(f.values, " "))
			case f.value:
				line += " -r"
			}
			fmt.Fprintln(w, line)
		}
	}
}
