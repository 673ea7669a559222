package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// columns are, by table, what is looked at beside the row's identity: an id, and what must
// be as it was posted.
var columns = map[string]string{
	"clean_text":        "event_id, text",
	"inferences":        "event_id, output_messages",
	"feedback":          "event_id, concat(thumb, ' ', inference_id)",
	"rejected":          "event_id, rule",
	"duplicates":        "event_id, reason",
	"dead_letters":      "event_id, reason",
	"training_examples": "concat('x', substring(inference_id, 2)), concat(inference_id, ' ', feedback_id)",
}

var inputs = []string{"raw.text", "inference.logs", "user.feedback"}

// ends are, by topic id and partition, where the inputs end.
func (d *deployment) ends(ctx context.Context) (map[string]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.brokers...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, inputs...)
	if err != nil {
		return nil, err
	}
	offsets, err := admin.ListEndOffsets(ctx, inputs...)
	if err != nil {
		return nil, err
	}
	ends := map[string]int64{}
	offsets.Each(func(o kadm.ListedOffset) {
		err = errors.Join(err, o.Err)
		ends[fmt.Sprintf("%x/%d", [16]byte(topics[o.Topic].ID), o.Partition)] = o.Offset
	})
	return ends, err
}

// sql asks the embedded ClickHouse over plain HTTP, as Millrace's own role, so that the
// final that readers are given can be left out.
func (d *deployment) sql(ctx context.Context, query string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.clickhouse+"/?database=millrace&final=0", strings.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("millrace", enginePassword())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body) // what there is of it is told
		return nil, errors.Join(fmt.Errorf("%s: %d %.500s", query, resp.StatusCode, b), resp.Body.Close())
	}
	return resp.Body, nil
}

// number is the answer to a query that has one; -1 where ClickHouse does not answer.
func (d *deployment) number(ctx context.Context, query string) int {
	body, err := d.sql(ctx, query)
	if err != nil {
		return -1
	}
	defer body.Close()
	var n int
	if _, err := fmt.Fscan(body, &n); err != nil {
		return -1
	}
	return n
}

// countClickHouse takes every row in. An insert that was repeated may lie there twice until
// it merges away; it is then the same row, with the same identity.
func (d *deployment) countClickHouse(ctx context.Context, a *account) error {
	for table, what := range columns {
		query := "SELECT DISTINCT " + what + ", _step, _origin_topic_id, _origin_partition, _origin_offset, _origin_index FROM " + table
		body, err := d.sql(ctx, query)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			r, err := parseRow(table, lines.Text())
			if err != nil {
				return err
			}
			a.add(r)
		}
		if err := errors.Join(lines.Err(), body.Close()); err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
	}
	return nil
}

func parseRow(table, line string) (*storedRow, error) {
	f := strings.Split(line, "\t")
	if len(f) != 7 {
		return nil, fmt.Errorf("a row of %s has %d columns: %q", table, len(f), line)
	}
	r := &storedRow{table: table, id: f[0], content: f[1], step: f[2], topicID: f[3]}
	var err error
	for i, into := range []*int64{&r.partition, &r.at, &r.index} {
		n, e := strconv.ParseInt(f[4+i], 10, 64)
		*into, err = n, errors.Join(err, e)
	}
	return r, err
}

// lakeRow is what is looked at in a Parquet file; a column that a kind has not is empty.
type lakeRow struct {
	EventID         string `parquet:"event_id"`
	Text            string `parquet:"text,optional"`
	Output          string `parquet:"output_messages,optional"`
	Thumb           string `parquet:"thumb,optional"`
	InferenceID     string `parquet:"inference_id,optional"`
	FeedbackID      string `parquet:"feedback_id,optional"`
	Step            string `parquet:"_step"`
	OriginTopicID   string `parquet:"_origin_topic_id"`
	OriginPartition int32  `parquet:"_origin_partition"`
	OriginOffset    int64  `parquet:"_origin_offset"`
	OriginIndex     int32  `parquet:"_origin_index"`
}

// countLake takes in every row of every Parquet file, as any reader finds them: by the
// folders' names. A file that cannot be read is torn.
func (d *deployment) countLake(a *account) error {
	return d.files(func(table, path string) error {
		rows, err := parquet.ReadFile[lakeRow](path)
		if err != nil {
			a.torn++
			a.differ("%s cannot be read: %v", filepath.Base(path), err)
		}
		for i := range rows {
			a.add(rows[i].stored(table))
		}
		return nil
	})
}

func (l *lakeRow) stored(table string) *storedRow {
	r := &storedRow{table: table, id: l.EventID, step: l.Step, topicID: l.OriginTopicID,
		partition: int64(l.OriginPartition), at: l.OriginOffset, index: int64(l.OriginIndex)}
	switch table {
	case "clean_text":
		r.content = l.Text
	case "inferences":
		r.content = l.Output
	case "feedback":
		r.content = l.Thumb + " " + l.InferenceID
	case "training_examples":
		r.content = l.InferenceID + " " + l.FeedbackID
		if l.InferenceID != "" {
			r.id = "x" + l.InferenceID[1:]
		}
	}
	return r
}

// files calls do with each Parquet file of the tables that are looked at.
func (d *deployment) files(do func(table, path string) error) error {
	err := filepath.WalkDir(filepath.Join(d.objects, "lake"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		for _, folder := range strings.Split(path, "/") {
			if table, ok := strings.CutPrefix(folder, "kind="); ok && columns[table] != "" {
				return do(table, path)
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was written yet
	}
	return err
}
