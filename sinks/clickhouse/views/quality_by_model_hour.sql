-- Accuracy by the hour in which the feedback arrived, each inference once.
SELECT tenant, model, model_version, toStartOfHour(judged) AS hour, count() AS examples,
  countIf(right) AS correct, correct / examples AS accuracy
FROM
(
  SELECT tenant, model, model_version, inference_id, argMax(judged_at, revision) AS judged, argMax(correct, revision) AS right
  FROM {db}.training_examples FINAL
  GROUP BY tenant, model, model_version, inference_id
)
WHERE right IS NOT NULL
GROUP BY tenant, model, model_version, hour
