-- One row an inference, with the last feedback that was joined to it.
SELECT i.*, e.label AS label, e.correct AS correct, e.feedback_id AS feedback_id, e.reviewer AS reviewer,
  e.judged_at AS judged_at, e.revisions AS feedbacks
FROM {db}.inferences AS i FINAL
LEFT JOIN
(
  SELECT tenant, inference_id, argMax(label, revision) AS label, argMax(correct, revision) AS correct,
    argMax(feedback_id, revision) AS feedback_id, argMax(reviewer, revision) AS reviewer,
    argMax(judged_at, revision) AS judged_at, count() AS revisions
  FROM {db}.training_examples FINAL
  GROUP BY tenant, inference_id
) AS e ON e.tenant = i.tenant AND e.inference_id = i.event_id
