-- What feedback says of each version, each inference once: by its last feedback. (argMax
-- passes over NULL, a tuple is none.)
SELECT tenant, model, model_version, count() AS examples, countIf(right) AS correct, correct / examples AS accuracy,
  min(judged) AS first, max(judged) AS last
FROM
(
  SELECT tenant, model, model_version, inference_id, argMax(judged_at, revision) AS judged, argMax(tuple(correct), revision).1 AS right
  FROM {db}.training_examples FINAL
  GROUP BY tenant, model, model_version, inference_id
)
WHERE right IS NOT NULL
GROUP BY tenant, model, model_version
