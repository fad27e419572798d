-- Customers of several scripts. `h` spreads the ordinal; limits of each type sit on fixed ordinals.
WITH people (script, family_first, given, family) AS (VALUES
  (0, false, ARRAY['Anna','Peter','Maria','John','Olivia','Thomas','Emma','Lucas'], ARRAY['Smith','O''Brien','Taylor-Jones','Brown','de la Cruz','van den Berg','McDonald','Wood']),
  (1, false, ARRAY['Jürgen','Zoë','François','Søren','Łukasz','Åsa','Chloé','Iñaki'], ARRAY['Müller','Šimůnek','Lefèvre','Ångström','Żółć','Çelik','Ødegård','Ibáñez']),
  (2, true, ARRAY['伟','芳','秀英','敏','静','丽','强','欣怡'], ARRAY['王','李','张','刘','陈','欧阳','赵','𠮷田']),
  (3, false, ARRAY['Анна','Иван','Ольга','Дмитрий','Мария','Сергей','Наталья','Юрий'], ARRAY['Иванова','Петров','Щербакова','Кузнецов','Соколова','Ёлкин','Морозова','Лебедев']),
  (4, false, ARRAY['محمد','فاطمة','علي','عائشة','يوسف','مريم','عمر','ليلى'], ARRAY['العلي','حسن','الخطيب','إبراهيم','القاسم','عبد الله','المصري','ناصر']),
  (5, false, ARRAY['דוד','שרה','יוסף','רחל','משה','לאה','אברהם','נועה'], ARRAY['כהן','לוי','מזרחי','פרץ','ביטון','דהן','אברהם','פרידמן']),
  (6, false, ARRAY['अनन्या','राहुल','प्रिया','अर्जुन','काव्या','विक्रम','मीरा','रोहन'], ARRAY['शर्मा','वर्मा','गुप्ता','सिंह','कुमार','पटेल','जोशी','मेहता']),
  (7, true, ARRAY['さくら','健太','花子','太郎','美咲','大輔','陽菜','翔'], ARRAY['佐藤','鈴木','高橋','田中','渡辺','伊藤','山本','中村']),
  (8, true, ARRAY['민준','서연','지우','하은','도윤','수빈','예준','지민'], ARRAY['김','이','박','최','정','강','조','윤']),
  (9, false, ARRAY['Ελένη','Γιώργος','Μαρία','Νίκος','Σοφία','Κώστας','Άννα','Δημήτρης'], ARRAY['Παπαδόπουλος','Νικολάου','Γεωργίου','Οικονόμου','Βασιλείου','Ιωάννου','Αντωνίου','Χρήστου']),
  (10, true, ARRAY['Thị Hương','Văn Nam','Minh Đức','Thu Hà','Quốc Bảo','Ngọc Ánh','Hữu Thắng','Mỹ Linh'], ARRAY['Nguyễn','Trần','Lê','Phạm','Hoàng','Vũ','Đặng','Bùi']),
  (11, false, ARRAY['สมชาย','สมหญิง','อนงค์','ประยุทธ','วิไล','กมล','นภา','ธนา'], ARRAY['ใจดี','รักไทย','ศรีสุข','ทองดี','แสงทอง','บุญมี','วงศ์ใหญ่','สุขใจ'])
),
rows AS (
  SELECT n, mod(n * 2654435761, 4294967291) / 16 AS h FROM generate_series(%(low)s::bigint, %(high)s::bigint) n
)
INSERT INTO shop_customer (
  id, tenant_id, status, retention_policy, created_at, updated_at,
  name, email, phone, plan, born_on, credit_limit, score, preferences, labels, notes, referred_by_id
)
SELECT
  (n - 1) * %(step)s + %(tenant)s, %(tenant)s, 'active', 'standard',
  timestamptz '2016-01-01 00:00:00Z' + mod(h, 300000000) * interval '1 second',
  timestamptz '2025-07-01 00:00:00Z' + mod(h, 9000000) * interval '1.000001 second',
  CASE mod(n, 400)
    WHEN 17 THEN 'Smith & Sons <Ltd> "quoted" \ 100%% '' ' || n
    WHEN 18 THEN '👩🏽‍🚀 Zoe' || U&'\0308' || ' ' || n
    WHEN 19 THEN repeat('Wolfeschlegelsteinhausen', 8)
    ELSE CASE WHEN family_first THEN f || CASE WHEN script IN (2, 7, 8) THEN '' ELSE ' ' END || g ELSE g || ' ' || f END
  END,
  'c' || n || CASE WHEN mod(n, 25) = 0 THEN '+news' ELSE '' END || '@' || %(slug)s || '.example',
  CASE WHEN mod(n, 9) = 0 THEN '' ELSE '+' || (10 + mod(h, 80)) || ' ' || (100000000 + mod(h * 31, 899999999)) END,
  (ARRAY['trial', 'basic', 'pro'])[1 + mod(h, 3)],
  CASE WHEN mod(n, 7) = 0 THEN NULL WHEN mod(n, 400) = 21 THEN date '0001-01-01' WHEN mod(n, 400) = 22 THEN date '9999-12-31'
    WHEN mod(n, 400) = 23 THEN date '1969-12-31' WHEN mod(n, 400) = 24 THEN date '2000-02-29'
    ELSE date '1925-01-01' + mod(h, 30000)::integer END,
  CASE WHEN mod(n, 5) = 0 THEN NULL WHEN mod(n, 400) = 31 THEN 99999999999999999999.9999999999
    WHEN mod(n, 400) = 32 THEN -99999999999999999999.9999999999 WHEN mod(n, 400) = 33 THEN 0.0000000001
    ELSE (mod(h, 5000000) / 100.0)::numeric(30, 10) END,
  CASE mod(n, 400) WHEN 41 THEN '-0'::float8 WHEN 42 THEN 'Infinity' WHEN 43 THEN '-Infinity' WHEN 44 THEN 'NaN'
    WHEN 46 THEN 5e-324 WHEN 47 THEN 1.7976931348623157e308 WHEN 48 THEN 0.1 + 0.2::float8
    ELSE CASE WHEN mod(n, 6) = 0 THEN NULL ELSE mod(h, 10000) / 100.0::float8 END END,
  CASE WHEN mod(n, 11) = 0 THEN '{}'::jsonb ELSE jsonb_build_object(
    'language', (ARRAY['en', 'de', 'zh-Hans', 'ar', 'ru'])[1 + mod(h, 5)], 'newsletter', mod(h, 2) = 0,
    'theme', CASE WHEN mod(n, 3) = 0 THEN NULL ELSE 'dark' END, 'limits', jsonb_build_array(1, 2.50, 9007199254740993, -1e-7),
    'nested', jsonb_build_object('名前', '値', 'quote"', '</script>', 'deep', jsonb_build_array(jsonb_build_array())))
  END,
  CASE WHEN mod(n, 4) = 0 THEN '{}'::varchar[] ELSE ARRAY[
    (ARRAY['vip', 'wholesale', 'öko', '批发', 'comma, inside', 'quote " \ inside'])[1 + mod(h, 6)],
    (ARRAY['early bird', '', 'NULL', 'café', '🎁'])[1 + mod(h, 5)]]::varchar[] END,
  CASE WHEN mod(n, 400) = 51 THEN repeat('A long note, kept out of line by the database. Ein langer Vermerk. 长备注。' || chr(10), 700)
    WHEN mod(n, 3) = 0 THEN '' ELSE 'Prefers contact by ' || (ARRAY['e-mail', 'telephone', 'letter'])[1 + mod(h, 3)] || '.' END,
  CASE WHEN n > 10 AND mod(n, 4) = 1 THEN mod(h, n - 1) * %(step)s + %(tenant)s END
FROM rows
JOIN people ON script = mod(h, 12)
CROSS JOIN LATERAL (SELECT given[1 + mod(h / 12, 8)] AS g, family[1 + mod(h / 96, 8)] AS f) names
ORDER BY n
