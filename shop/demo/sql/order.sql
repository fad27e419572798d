-- Orders. Ten of sixteen are cancelled and older than 2024; customers with an ordinal divisible by ten have none.
WITH rows AS (
  SELECT n, h, mod(n, 16) AS kind, 1 + mod(h, greatest(%(base)s, n / 10)) AS buyer
  FROM (SELECT n, mod(n * 2654435761 + 97531, 4294967291) / 16 AS h
        FROM generate_series(%(low)s::bigint, %(high)s::bigint) n) q
)
INSERT INTO shop_order (
  id, tenant_id, status, retention_policy, created_at, updated_at, customer_id, number, placed_at, state, total, currency, note
)
SELECT
  (n - 1) * %(step)s + %(tenant)s, %(tenant)s, 'active', 'standard', placed, placed + interval '1 day 2:03:04.050607',
  (buyer - CASE WHEN mod(buyer, 10) = 0 THEN 2 ELSE 1 END) * %(step)s + %(tenant)s,
  'A-' || lpad(n::text, 8, '0'), placed,
  CASE WHEN kind <= 10 THEN 'cancelled' ELSE (ARRAY['open', 'paid', 'paid', 'shipped', 'shipped'])[kind - 10] END,
  CASE mod(n, 1000) WHEN 501 THEN 999999999999.99 WHEN 502 THEN -999999999999.99 WHEN 503 THEN 0 ELSE 1 + mod(h, 250000) / 100.0 END,
  (ARRAY['EUR', 'USD', 'CNY', 'JPY', 'GBP'])[1 + mod(h, 5)],
  CASE WHEN mod(n, 3) = 0 THEN '' WHEN mod(n, 1000) = 505 THEN repeat('Bitte im Hof abgeben. 请放在门口。 ', 400)
    ELSE (ARRAY['Gift wrap', 'Leave at the door', 'Lieferung nach 18 Uhr', '送货前请致电', 'Fragile ☕'])[1 + mod(h, 5)] END
FROM rows
CROSS JOIN LATERAL (SELECT CASE
  WHEN kind < 10 AND mod(n, 1000) = 4 THEN timestamptz '1969-12-31 23:59:59.999999Z' - mod(h, 300) * interval '1 day'
  WHEN kind < 10 THEN timestamptz '2015-01-01 00:00:00Z' + mod(h, 283996800) * interval '1.000001 second'
  ELSE timestamptz '2024-01-01 00:00:00Z' + mod(h, 77760000) * interval '1.000001 second' END AS placed) times
ORDER BY n
