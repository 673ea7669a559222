-- Calls that did not end well, by upstream, day of arrival and error, and their share of all
-- calls there on that day. Calls that reached no upstream stand under the empty name.
SELECT tenant, upstream, day, error_type, calls, calls / sum(calls) OVER (PARTITION BY tenant, upstream, day) AS share, last
FROM
(
  SELECT tenant, upstream, toDate(arrived_at) AS day, error_type, count() AS calls, max(arrived_at) AS last
  FROM {db}.inferences FINAL
  WHERE operation_name != 'capture_gap'
  GROUP BY tenant, upstream, day, error_type
)
QUALIFY error_type != ''
