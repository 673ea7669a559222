//go:build integration

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestArchive replays texts of 25 years, a month apart, as one does who fills a log from
// an archive and keeps its times. A table's parts are by month, and ClickHouse refuses an
// insert of more than a hundred of them by default, however often it is tried.
func TestArchive(t *testing.T) {
	t.Parallel()
	const months = 300
	m := up(t, t.TempDir())
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var records []*kgo.Record
	began := time.Date(1995, 1, 15, 12, 0, 0, 0, time.UTC)
	for i := range months {
		id := fmt.Sprintf("month-%d", i)
		records = append(records, &kgo.Record{Topic: "raw.text", Key: []byte(id), Timestamp: began.AddDate(0, i, 0),
			Value: fmt.Appendf(nil, `{"id":%q,"text":"what was written in month %d"}`, id, i)})
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	m.await(fmt.Sprintf("%d\t%d", months, months), "SELECT count(), uniq(toYYYYMM(arrived_at)) FROM clean_text")
	m.verify()
	m.stop()
}
