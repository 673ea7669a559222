package demo

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/trainers"
)

// atOnce trains the same classifier once, on every label that the reader gave before the
// last third and on the labelled stretch, and judges it on the last third by the mails'
// own labels: what a loop that knew the change beforehand would reach.
func (r *Report) atOnce(ctx context.Context, deps Deps, mails []message, p periods) error {
	last := p.last.Format(sqlTime)
	rows, err := deps.Conn.Query(ctx, fmt.Sprintf(`SELECT text, label FROM (
  SELECT event_time, event_id, text, label FROM clean_text WHERE label != ''
  UNION ALL
  SELECT c.event_time, c.event_id, c.text, e.label FROM training_examples AS e
  INNER JOIN clean_text AS c ON c.event_id = e.text_id WHERE e.event_time < '%s'
) ORDER BY event_time, event_id`, last))
	if err != nil {
		return fmt.Errorf("demo: ask for what was labelled: %w", err)
	}
	defer rows.Close()
	var examples []trainers.Example
	for rows.Next() {
		e := trainers.Example{Weight: 1}
		if err := rows.Scan(&e.Text, &e.Label); err != nil {
			return fmt.Errorf("demo: ask for what was labelled: %w", err)
		}
		examples = append(examples, e)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("demo: ask for what was labelled: %w", err)
	}
	model, err := deps.Recipe.Train(ctx, examples, 1, func(float64) {})
	if err != nil {
		return fmt.Errorf("demo: train at once: %w", err)
	}
	truth := map[string]string{}
	for i := range mails {
		if !mails[i].at.Before(p.last) {
			truth[eventID(&mails[i])] = mails[i].label
		}
	}
	texts, err := deps.Conn.Query(ctx, fmt.Sprintf("SELECT event_id, text FROM clean_text WHERE event_time >= '%s'", last))
	if err != nil {
		return fmt.Errorf("demo: ask for the last third: %w", err)
	}
	defer texts.Close()
	var right share
	for texts.Next() {
		var id, text string
		if err := texts.Scan(&id, &text); err != nil {
			return fmt.Errorf("demo: ask for the last third: %w", err)
		}
		if label, ok := truth[id]; ok {
			said, _ := model.Predict(text)
			right.add(said == label)
		}
	}
	reached := right.value()
	r.AtOnce = &reached
	return texts.Err()
}
