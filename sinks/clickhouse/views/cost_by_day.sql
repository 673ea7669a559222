-- What calls cost, by the day on which they arrived: as the gateway, or who logged them, priced
-- them. unpriced are calls that used tokens and cost nothing: their model has no price.
SELECT tenant, toDate(arrived_at) AS day, request_model AS model, provider_name AS provider, key_name, count() AS calls,
  sum(usage_input_tokens) AS input_tokens, sum(usage_cache_read_input_tokens) AS cached_input_tokens, sum(usage_output_tokens) AS output_tokens,
  sum(cost_usd) AS cost, countIf(cost_usd = 0 AND usage_input_tokens + usage_output_tokens > 0) AS unpriced
FROM {db}.inferences FINAL
WHERE operation_name != 'capture_gap'
GROUP BY tenant, day, model, provider, key_name
