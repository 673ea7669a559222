// Command demo holds a demo's report against the goals that the README states.
//
//	go run ./integration/demo report.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
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
	First      int64 `json:"feedbacks_to_first_trigger"`
	False      int64 `json:"false_triggers"`
	Seconds    float64
	Versions   []struct{ Stage string }
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo REPORT.json")
		os.Exit(2)
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
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
		os.Exit(1)
	}
}
