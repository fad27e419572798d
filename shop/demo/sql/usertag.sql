-- User tags: the table of the accident. Thirty of them per customer once there are many.
WITH rows AS (
  SELECT n, mod(n * 2654435761 + 7919, 4294967291) / 16 AS h FROM generate_series(%(low)s::bigint, %(high)s::bigint) n
)
INSERT INTO shop_usertag (
  id, tenant_id, status, retention_policy, created_at, updated_at, customer_id, tag, weight, source
)
SELECT
  (n - 1) * %(step)s + %(tenant)s, %(tenant)s, 'active', 'standard',
  timestamptz '2022-01-01 00:00:00Z' + mod(h, 90000000) * interval '1 second',
  timestamptz '2025-01-01 00:00:00Z' + mod(h, 30000000) * interval '1.000001 second',
  mod(h, greatest(%(base)s, n / 30)) * %(step)s + %(tenant)s,
  (ARRAY['coffee', 'tea', 'discount', 'morning', '新客户', 'büro', 'любит чай', 'gift', 'churn risk', 'price-sensitive', 'قهوة', '🎄'])[1 + mod(h, 12)]
    || ':' || mod(h, 97),
  CASE mod(n, 10000) WHEN 1 THEN '-0'::float8 WHEN 2 THEN 'Infinity' WHEN 3 THEN 'NaN' WHEN 4 THEN 5e-324 ELSE mod(h, 1000) / 997.0::float8 END,
  (ARRAY['model-v7', 'survey', 'import', ''])[1 + mod(h, 4)]
FROM rows
ORDER BY n
