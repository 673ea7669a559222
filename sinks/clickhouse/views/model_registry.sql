-- Every version at its last stage, since when it is there, when it was made and what it
-- came from.
SELECT model, version, argMax(stage, _offset) AS stage, argMax(reason, _offset) AS reason, argMax(arrived_at, _offset) AS since,
  min(arrived_at) AS made,
  argMax(run_id, _offset) AS run_id, argMax(trigger_id, _offset) AS trigger_id, argMax(parent_version, _offset) AS parent_version,
  argMax(recipe, _offset) AS recipe, argMax(digest, _offset) AS digest, argMax(bytes, _offset) AS bytes,
  argMax(dataset_hash, _offset) AS dataset_hash, argMax(examples, _offset) AS examples, argMax(ranges, _offset) AS ranges,
  argMax(training_rules_version, _offset) AS training_rules_version, argMax(labels, _offset) AS labels,
  argMax(gate_passed, _offset) AS gate_passed, argMax(gate, _offset) AS gate, argMax(gate_detail, _offset) AS gate_detail
FROM {db}.model_versions FINAL
GROUP BY model, version
