-- How long calls took that ended well, in seconds, by the hour in which they arrived; the first
-- chunk's time is of streams alone. Quantiles are exact up to some thousands of calls, and of a
-- sample beyond.
SELECT tenant, request_model AS model, upstream, toStartOfHour(arrived_at) AS hour, count() AS calls,
  quantile(0.5)(duration) AS p50, quantile(0.95)(duration) AS p95, quantile(0.99)(duration) AS p99,
  countIf(time_to_first_chunk > 0) AS streams, if(streams = 0, NULL, quantileIf(0.5)(time_to_first_chunk, time_to_first_chunk > 0)) AS first_p50,
  if(streams = 0, NULL, quantileIf(0.95)(time_to_first_chunk, time_to_first_chunk > 0)) AS first_p95
FROM {db}.inferences FINAL
WHERE operation_name != 'capture_gap' AND error_type = ''
GROUP BY tenant, model, upstream, hour
