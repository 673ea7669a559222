-- The verdicts on each partition of each input, by outcome.
SELECT topic, origin_topic_id, partition, countIf(outcome = 'clean') AS clean, countIf(outcome = 'rejected') AS rejected,
  countIf(outcome = 'duplicate') AS duplicate, countIf(outcome = 'dead') AS dead, count() AS verdicts,
  min(origin_offset) AS first_offset, max(origin_offset) AS last_offset
FROM
(
  SELECT 'raw.text' AS topic, 'clean' AS outcome, _origin_topic_id AS origin_topic_id, _origin_partition AS partition, _origin_offset AS origin_offset FROM {db}.clean_text FINAL
  UNION ALL
  SELECT 'inference.logs', 'clean', _origin_topic_id, _origin_partition, _origin_offset FROM {db}.inferences FINAL
  UNION ALL
  SELECT 'user.feedback', 'clean', _origin_topic_id, _origin_partition, _origin_offset FROM {db}.feedback FINAL
  UNION ALL
  SELECT topic, 'rejected', _origin_topic_id, _origin_partition, _origin_offset FROM {db}.rejected FINAL
  UNION ALL
  SELECT topic, 'duplicate', _origin_topic_id, _origin_partition, _origin_offset FROM {db}.duplicates FINAL
  UNION ALL
  SELECT topic, 'dead', _origin_topic_id, _origin_partition, _origin_offset FROM {db}.dead_letters FINAL
)
GROUP BY topic, origin_topic_id, partition
