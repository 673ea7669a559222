-- One row an inference, with the last feedback that was joined to it: all that it says,
-- also where it says less than one before it. (argMax passes over NULL, a tuple is none.)
SELECT i.*, e.last.label AS label, e.last.correct AS correct, e.last.feedback_id AS feedback_id, e.last.reviewer AS reviewer,
  if(e.revisions > 0, e.last.judged_at, NULL) AS judged_at, e.revisions AS feedbacks
FROM {db}.inferences AS i FINAL
LEFT JOIN
(
  SELECT tenant, inference_id, count() AS revisions,
    argMax(tuple(label, correct, feedback_id, reviewer, judged_at)::Tuple(label String, correct Nullable(Bool), feedback_id String, reviewer String, judged_at DateTime64(6, 'UTC')), revision) AS last
  FROM {db}.training_examples FINAL
  GROUP BY tenant, inference_id
) AS e ON e.tenant = i.tenant AND e.inference_id = i.event_id
