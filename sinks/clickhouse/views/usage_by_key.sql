-- Who used what, by the day on which it arrived: the name of the key that a call came with.
SELECT tenant, key_name, toDate(arrived_at) AS day, count() AS calls, countIf(error_type != '') AS errors, uniqExact(subject) AS subjects,
  sum(usage_input_tokens) AS input_tokens, sum(usage_output_tokens) AS output_tokens, sum(cost_usd) AS cost
FROM {db}.inferences FINAL
WHERE operation_name != 'capture_gap'
GROUP BY tenant, key_name, day
