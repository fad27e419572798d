-- Behaviour logs; every eighth belongs to nobody.
WITH rows AS (
  SELECT n, mod(n * 2654435761 + 1299709, 4294967291) / 16 AS h FROM generate_series(%(low)s::bigint, %(high)s::bigint) n
)
INSERT INTO shop_behaviourlog (
  id, tenant_id, status, retention_policy, created_at, updated_at, customer_id, happened_at, action, payload
)
SELECT
  (n - 1) * %(step)s + %(tenant)s, %(tenant)s, 'active', 'standard', happened, happened,
  CASE WHEN mod(n, 8) = 0 THEN NULL ELSE mod(h, greatest(%(base)s, n / 10)) * %(step)s + %(tenant)s END,
  happened,
  (ARRAY['view', 'search', 'add to cart', 'checkout', 'login', 'opt out', '收藏'])[1 + mod(h, 7)],
  CASE WHEN mod(n, 13) = 0 THEN 'null'::jsonb WHEN mod(n, 17) = 0 THEN '[]'::jsonb
    ELSE jsonb_build_object('path', '/p/' || mod(h, 5000), 'ms', mod(h, 3000), 'query', (ARRAY['tea', 'чай', '茶', '"'])[1 + mod(h, 4)]) END
FROM rows
CROSS JOIN LATERAL (SELECT CASE WHEN mod(n, 500) = 9 THEN timestamptz '1969-07-20 20:17:40Z'
  ELSE timestamptz '2023-01-01 00:00:00Z' + mod(h, 110000000) * interval '1.000001 second' END AS happened) times
ORDER BY n
