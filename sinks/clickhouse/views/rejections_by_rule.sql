SELECT tenant, topic, rule, count() AS events, min(arrived_at) AS first, max(arrived_at) AS last
FROM {db}.rejected FINAL
GROUP BY tenant, topic, rule
