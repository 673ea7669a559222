-- What happened to each model, in the order of its log.
SELECT model, at, offset, what, version, detail FROM
(
  SELECT model, arrived_at AS at, _offset AS offset, concat('signal ', signal) AS what, model_version AS version,
    concat(detector, ': ', toString(round(before, 4)), ' to ', toString(round(after, 4)), ' over ', toString(examples), ' examples') AS detail
  FROM {db}.drift_signals FINAL
  UNION ALL
  SELECT model, arrived_at, _offset, concat('trigger ', reason), parent_version, concat(run_id, ' ', detail) FROM {db}.drift_triggers FINAL
  UNION ALL
  SELECT model, arrived_at, _offset, concat('run ', step), '', concat(run_id, ' ', error) FROM {db}.training_runs FINAL
  UNION ALL
  SELECT model, arrived_at, _offset, concat('version ', stage), version, if(reason = '', gate_detail, reason) FROM {db}.model_versions FINAL
  UNION ALL
  SELECT model, arrived_at, _offset, concat('command ', command), version, answer FROM {db}.model_commands FINAL
)
ORDER BY model, offset
