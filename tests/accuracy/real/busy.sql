-- Inserts, an index, joins, aggregates, text functions: enough for minutes.
PRAGMA cache_size = 4000;
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL);
CREATE INDEX item_kind ON item (kind, price);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO item SELECT i, i % 97, printf('item %d of %s', i, hex(i * 7919)), (i * 31) % 1000 / 7.0 FROM n;
WITH RECURSIVE round (r) AS (SELECT 1 UNION ALL SELECT r + 1 FROM round WHERE r < 100000)
SELECT count(*) FROM round WHERE
  (SELECT sum(price) FROM item WHERE kind = r % 97) > 0 AND
  (SELECT count(*) FROM item a JOIN item b ON b.id = a.id + 1 WHERE a.kind = r % 97 AND b.price > 50) > 0 AND
  (SELECT max(length(replace(name, 'item', upper(name)))) FROM item WHERE kind BETWEEN r % 90 AND r % 90 + 3
   AND name LIKE '%of%7%') > 0 AND
  (SELECT count(*) FROM (SELECT kind, avg(price) p FROM item WHERE id < 2000 GROUP BY kind ORDER BY p)) > 0;
