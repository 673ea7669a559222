package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestCompletion asks bash what the completion script offers behind a line's words.
func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	var script, fish bytes.Buffer
	if err := printCompletion(&script, "bash"); err != nil {
		t.Fatal(err)
	}
	if err := printCompletion(&fish, "fish"); err != nil {
		t.Fatal(err)
	}
	script.WriteString("COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _millrace; echo \"${COMPREPLY[@]}\"\n")
	names := strings.Join(commandNames(), " ")
	roles := "all " + strings.Join(roleNames, " ")
	for line, want := range map[string]string{
		"":                         names,
		"h":                        "help",
		"help ":                    names,
		"help mo":                  "models",
		"models ":                  "list show promote approve rollback --clickhouse-listen --config --data --kafka-listen --listen --model --reason --verbose",
		"models p":                 "promote",
		"models show":              "show",
		"models show v1 l":         "",
		"models --data bash l":     "list",
		"models show v1 --mo":      "--model",
		"config c":                 "check",
		"config s":                 "show",
		"completion ":              "bash zsh fish",
		"up --roles ":              roles,
		"up --roles = cli":         "clickhouse",
		"import --kind ":           "text inference feedback",
		"import --kind =":          "text inference feedback",
		"import a b --format ":     "jsonl csv mail mbox text",
		"import --source complet":  "completion.go completion_test.go",
		"import --verbose complet": "completion.go completion_test.go",
		"sql --format ":            "table tsv jsonl",
	} {
		args := append([]string{"-c", script.String(), "bash", "millrace"}, strings.Split(line, " ")...)
		got, err := exec.CommandContext(t.Context(), bash, args...).CombinedOutput()
		offered := strings.Join(strings.Fields(string(got)), " ")
		if err != nil || offered != want {
			t.Errorf("millrace %s: got %s, %v, want %s", line, offered, err, want)
		}
	}
	for _, want := range []string{"-a 'list show promote approve rollback'", "-l kind -x -a 'text inference feedback'", "-l roles -x -a '" + roles + "'", "-a '" + names + "'"} {
		if !strings.Contains(fish.String(), want) {
			t.Errorf("fish's script lacks %s", want)
		}
	}
}

// TestVersion asks for the version, and for help, in each way.
func TestVersion(t *testing.T) {
	for line, want := range map[string]string{
		"version": "millrace dev\n", "--version": "millrace dev\n", "-version": "millrace dev\n",
		"--help": "Usage: millrace COMMAND", "help": "Usage: millrace COMMAND", "help sql": "Usage: millrace sql", "-h sql": "Usage: millrace sql",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(line), &out, &errs); code != exitOK || !strings.Contains(out.String(), want) || errs.Len() > 0 {
			t.Errorf("millrace %s: got %d, %q, %q, want %q", line, code, out.String(), errs.String(), want)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"help", "sqll"}, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "did you mean sql?") {
		t.Errorf("help of what is no command: got %d, %q", code, errs.String())
	}
}
