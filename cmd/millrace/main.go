// Command millrace is all of Millrace: every role, the demo, and the tools.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/millrace-io/millrace/internal/embedded/clickhouse"
)

// version is set when it is built.
var version = "dev"

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == clickhouse.ChildCommand {
		os.Exit(clickhouse.RunChild(args[1:]))
	}
	os.Exit(run(untilInterrupted(), args, os.Stdout, os.Stderr))
}

// untilInterrupted ends with the first Ctrl-C or SIGTERM. The second ends the process,
// even where a shell started it with Ctrl-C ignored, as it does with what runs behind it.
func untilInterrupted() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "millrace: ended at once, since it was asked twice; nothing that was acknowledged is lost")
		os.Exit(exitInterrupted)
	}()
	return ctx
}

// Exit codes.
const (
	exitOK          = 0
	exitError       = 1 // it was tried and failed, or verify found a difference
	exitUsage       = 2
	exitInterrupted = 130 // what shells report of a program that Ctrl-C ended
)

// errUsage ends a command whose arguments are wrong; the message was printed.
var errUsage = errors.New("usage")

// errDifferent ends a command that ran well and found something wrong.
var errDifferent = errors.New("different")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printHelp(stdout)
		return exitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help":
		args = append([]string{"help"}, args[1:]...)
	case "-version", "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	c := find(args[0])
	if c == nil {
		fmt.Fprintf(stderr, "millrace: there is no command %q%s\nmillrace help lists them.\n", args[0], didYouMean("", args[0], commandNames()))
		return exitUsage
	}
	env := &environment{stdout: stdout, stderr: stderr}
	err := c.execute(ctx, env, args[1:])
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDifferent):
		return exitError
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "millrace %s: interrupted\n", c.name)
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "millrace %s: %s\n", c.name, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	return exitError
}

// environment is what a command prints to.
type environment struct {
	stdout, stderr io.Writer
}

// command is one of millrace's commands.
type command struct {
	name    string
	args    string // as usage shows them
	summary string
	help    string
	// define adds flags and returns what runs once they are parsed.
	define func(*flag.FlagSet) func(ctx context.Context, env *environment, args []string) error
}

func (c *command) execute(ctx context.Context, env *environment, args []string) error {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	action := c.define(fs)
	rest, err := parseInterspersed(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		c.usage(env.stdout)
		return nil
	}
	if err != nil {
		fmt.Fprintf(env.stderr, "millrace %s: %s\nmillrace help %s shows its flags.\n", c.name, flagFault(fs, err), c.name)
		return errUsage
	}
	return action(ctx, env, rest)
}

// flagFault says what is wrong with the command line; a flag that does not exist is named
// as it was typed, with the one that was likely meant.
func flagFault(fs *flag.FlagSet, err error) string {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err.Error()
	}
	var known []string
	fs.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
	return fmt.Sprintf("there is no flag --%s%s", name, didYouMean("--", name, known))
}

// parseInterspersed takes flags before and behind arguments.
func parseInterspersed(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, nil
		}
		if args[0] == "--" {
			return append(rest, args[1:]...), nil
		}
		rest = append(rest, args[0])
		args = args[1:]
	}
}

func (c *command) usage(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: millrace %s %s\n", c.summary, c.name, c.args)
	if c.help != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.help))
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.define(fs)
	fmt.Fprint(w, "\nFlags:\n")
	fs.VisitAll(func(f *flag.Flag) {
		name, text := flag.UnquoteUsage(f)
		left := "--" + f.Name
		if name != "" {
			left += " " + strings.ToUpper(name)
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %-28s %s\n", left, text)
	})
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}
