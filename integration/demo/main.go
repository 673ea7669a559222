// Command demo holds a demo's report against the goals that docs/demo.md states, or
// prints the reports of several runs as a table.
//
//	go run ./integration/demo report.json
//	go run ./integration/demo -table one.json two.json
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type report struct {
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	EventsIn   int64 `json:"events_in"`
	Outcomes   struct {
		Clean, Duplicate, Dead int64
		Rejected               map[string]int64
	} `json:"outcomes"`
	ClickHouse int64 `json:"clickhouse_rows"`
	Parquet    int64 `json:"parquet_rows"`
	Accuracy   struct{ Before, After, Recovered float64 }
	// AtOnce is what the same classifier reaches on the same labels at once; nil where
	// that was not asked.
	AtOnce   *float64 `json:"at_once"`
	First    int64    `json:"feedbacks_to_first_trigger"`
	False    int64    `json:"false_triggers"`
	Seconds  float64
	Versions []struct{ Stage string }
}

func main() {
	table := flag.Bool("table", false, "print the reports as a table")
	flag.Parse()
	if flag.NArg() == 0 || flag.NArg() > 1 && !*table {
		fmt.Fprintln(os.Stderr, "usage: demo [-table] REPORT.json…")
		os.Exit(2)
	}
	reports := make([]report, flag.NArg())
	for i, path := range flag.Args() {
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &reports[i])
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(2)
		}
	}
	if *table {
		printTable(flag.Args(), reports)
		return
	}
	if !reports[0].meets() {
		os.Exit(1)
	}
}

// printTable prints a line a run, in Markdown.
func printTable(paths []string, reports []report) {
	fmt.Println("| run | before | after | recovered | at once | feedbacks to the first trigger | false triggers | versions | lost, duplicated | seconds |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for i, r := range reports {
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(paths[i]), ".json"), "-", " ")
		atOnce := ""
		if r.AtOnce != nil {
			atOnce = fmt.Sprintf("%.3f (%.1f %%)", *r.AtOnce, 100*r.Accuracy.Recovered / *r.AtOnce)
		}
		fmt.Printf("| %s | %.3f | %.3f | %.3f | %s | %d | %d | %d | %d, %d | %.1f |\n", name, r.Accuracy.Before, r.Accuracy.After, r.Accuracy.Recovered,
			atOnce, r.First, r.False, len(r.Versions), r.Lost, r.Duplicated, r.Seconds)
	}
}

// meets prints each goal of a plain run, and says whether all are met.
func (r *report) meets() bool {
	outcomes := r.Outcomes.Clean + r.Outcomes.Duplicate + r.Outcomes.Dead
	for _, n := range r.Outcomes.Rejected {
		outcomes += n
	}
	champions := 0
	for _, v := range r.Versions {
		if v.Stage == "champion" {
			champions++
		}
	}
	failed := 0
	check := func(ok bool, format string, args ...any) {
		mark := "ok    "
		if !ok {
			mark = "FAILED"
			failed++
		}
		fmt.Printf("%s  %s\n", mark, fmt.Sprintf(format, args...))
	}
	check(r.Lost == 0, "%d lost", r.Lost)
	check(r.Duplicated == 0, "%d duplicated", r.Duplicated)
	check(outcomes == r.EventsIn, "%d outcomes of %d events", outcomes, r.EventsIn)
	check(r.ClickHouse == r.Parquet, "%d rows in ClickHouse, %d in Parquet", r.ClickHouse, r.Parquet)
	check(r.Accuracy.Before >= .96, "accuracy before the change %.3f, at least .96", r.Accuracy.Before)
	check(r.Accuracy.After <= .50, "accuracy after it %.3f, at most .50", r.Accuracy.After)
	check(r.Accuracy.Recovered >= .96, "accuracy on the last third %.3f, at least .96", r.Accuracy.Recovered)
	check(r.First >= 0 && r.First <= 100, "%d feedbacks to the first trigger, at most 100", r.First)
	check(r.False == 0, "%d false triggers", r.False)
	check(champions == 1, "%d champions among %d versions", champions, len(r.Versions))
	fmt.Printf("time    %.1f s, a figure of this machine and of what else runs on it\n", r.Seconds)
	if failed > 0 {
		fmt.Printf("%d goals missed\n", failed)
	}
	return failed == 0
}
