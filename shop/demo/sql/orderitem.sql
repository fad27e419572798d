-- Items of orders `low` to `high`: none or one of an old cancelled order, one to four of the others.
WITH lines AS (
  SELECT n, line, mod((n * 4 + line) * 2654435761 + 40503, 4294967291) / 16 AS h
  FROM generate_series(%(low)s::bigint, %(high)s::bigint) n
  CROSS JOIN LATERAL generate_series(1, CASE
    WHEN mod(n, 16) < 10 THEN CASE WHEN mod(n, 8) = 0 THEN 0 ELSE 1 END
    ELSE 1 + mod(mod(n * 2654435761, 4294967291) / 16, %(per_order)s) END) line
)
INSERT INTO shop_orderitem (
  id, tenant_id, status, retention_policy, created_at, updated_at, order_id, product, quantity, price
)
SELECT
  ((n - 1) * %(per_order)s + line - 1) * %(step)s + %(tenant)s, %(tenant)s, 'active', 'standard',
  timestamptz '2024-01-01 00:00:00Z' + mod(h, 60000000) * interval '1 second',
  timestamptz '2025-01-01 00:00:00Z' + mod(h, 30000000) * interval '1 second',
  (n - 1) * %(step)s + %(tenant)s,
  (ARRAY['Espresso beans 1 kg', 'Thé vert', '龙井茶', 'Кофемолка', 'Filter papers', 'Crème brûlée set', 'كوب قهوة', '急須', 'Milk jug 0,6 l', 'Scale ±0.1 g'])[1 + mod(h, 10)],
  CASE mod(n, 1000) WHEN 507 THEN 2147483647 WHEN 508 THEN -2147483648 ELSE 1 + mod(h, 12)::integer END,
  CASE WHEN mod(n, 1000) = 509 THEN 9999999999.99 ELSE 1 + mod(h, 20000) / 100.0 END
FROM lines
ORDER BY n, line
