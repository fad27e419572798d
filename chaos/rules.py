"""The rules, as queries that return how many rows break them. Plain SQL over the catalog's own tables.

Names in braces are of one governed table; `mine` holds every history row a change wrote, with the version it was made
from and the columns that differ, and `frozen` every frozen row, with where its lane stands. Both leave out changes that
had ended at an earlier look; the last look takes every one.
"""

SETTLED = "SELECT s.change_id FROM chaos.settled s"

# Whether a version was written under this token. A rollback writes inside a savepoint: rows then carry the number of the
# subtransaction, a little above that of the transaction, which is what history keeps.
UNDER_TOKEN = """({version}xid::text::numeric % 4294967296 = f.token OR ({version}change IN (
  SELECT w.id FROM changes_change w WHERE w.operation = 'rollback')
  AND f.token - {version}xid::text::numeric % 4294967296 BETWEEN 1 AND 1000))"""
WRITTEN_BEFORE = UNDER_TOKEN.format(version="m.before_")
WRITTEN = UNDER_TOKEN.format(version="v.").replace("v.change ", "v.change_id ")

MINE = f"""
CREATE TEMP TABLE mine ON COMMIT DROP AS
SELECT h.id, h.history_id, h.change_id, h.history_type AS kind, h.is_deleted, ROW({{columns}})::text AS row,
       b.xid AS before_xid, b.is_deleted AS before_deleted, b.change_id AS before_change, b.row AS before_row,
       row_number() OVER (PARTITION BY h.change_id, h.id ORDER BY h.history_id) AS nth,
       ARRAY(SELECT u.name FROM unnest(ARRAY[{{names}}], ARRAY[{{texts}}], b.texts) u(name, now, before)
              WHERE u.now IS DISTINCT FROM u.before) AS altered
  FROM {{history}} h LEFT JOIN LATERAL (
    SELECT v.xid, v.is_deleted, v.change_id, ROW({{before}})::text AS row, ARRAY[{{before_texts}}] AS texts
      FROM {{history}} v WHERE v.id = h.id AND v.history_id < h.history_id ORDER BY v.history_id DESC LIMIT 1) b ON true
 WHERE h.change_id IS NOT NULL AND h.change_id NOT IN ({SETTLED});
CREATE INDEX ON mine (change_id, id);
ANALYZE mine;
CREATE TEMP TABLE frozen ON COMMIT DROP AS
SELECT r.change_id, r.part, r.position AS id, r.token::text::bigint AS token, c.operation, p.effect, p.columns,
       c.state = 'cancelling' AND c.canary = 'taking_back' AS returning,
       l.cursor >= r.position AS passed, s.position IS NOT NULL AS skipped, s.reason
  FROM changes_changepart p
  JOIN changes_change c ON c.id = p.change_id AND c.id NOT IN ({SETTLED})
  JOIN changes_frozenrow r ON r.tenant_id = p.tenant_id AND r.change_id = p.change_id AND r.part = p.part
  LEFT JOIN changes_skippedrow s ON s.tenant_id = r.tenant_id AND s.change_id = r.change_id AND s.part = r.part
        AND s.position = r.position
  LEFT JOIN changes_lane l ON l.change_id = r.change_id AND l.part = r.part AND l.kind = 'rows'
        AND r.position > l.lo AND r.position <= l.hi
 WHERE p.entity = '{{entity}}';
CREATE INDEX ON frozen (change_id, id);
ANALYZE frozen;
"""

PER_TABLE = {
    "I1 passed, but neither changed nor listed as left alone": """
        SELECT count(*) FROM frozen f LEFT JOIN mine m USING (change_id, id)
         WHERE f.passed AND m.id IS NULL AND NOT f.skipped""",
    "I1 both changed and listed as left alone": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id) WHERE f.skipped AND f.reason <> 'taken_back'""",
    "I1 changed or listed before its chunk committed": """
        SELECT count(*) FROM frozen f LEFT JOIN mine m USING (change_id, id)
         WHERE f.passed IS NOT TRUE AND NOT f.returning AND (m.id IS NOT NULL OR f.skipped)""",
    "I1 a row that had moved was changed all the same": f"""
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE f.effect IN ('delete', 'clear', 'set', 'load', 'remove') AND m.nth = 1 AND NOT {WRITTEN_BEFORE}""",
    "I1 an unmoved row was left alone": f"""
        SELECT count(*) FROM frozen f WHERE f.skipped AND f.effect IN ('delete', 'clear', 'set', 'load')
           AND f.reason IN ('changed_since', 'gone', 'recreated') AND NOT EXISTS (
          SELECT FROM {{history}} v JOIN {{history}} w ON w.id = v.id AND w.history_id > v.history_id
           WHERE v.id = f.id AND {WRITTEN})""",
    "I2 changed more often by one change than it was frozen": """
        SELECT count(*) FROM (SELECT change_id, id, count(*) AS times FROM mine GROUP BY 1, 2 HAVING count(*) > 1) m
         WHERE m.times <> (SELECT count(*) + count(*) FILTER (WHERE f.reason = 'taken_back') FROM frozen f
                            WHERE f.change_id = m.change_id AND f.id = m.id)""",
    "I2 deleted without being marked so, or deleted twice": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE f.effect = 'delete' AND m.nth = 1 AND (NOT m.is_deleted OR m.before_deleted)""",
    "I2 a row was added or removed by a change that does something else": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE m.nth = 1 AND m.kind <> CASE WHEN f.effect = 'remove' THEN '-' WHEN f.effect IN ('add', 'create') THEN '+' ELSE '~' END""",
    "I2 other columns were written than were agreed to": """
        SELECT count(*) FROM mine m WHERE m.kind = '~' AND NOT EXISTS (
          SELECT FROM frozen f WHERE f.change_id = m.change_id AND f.id = m.id AND f.columns @> to_jsonb(m.altered))""",
    "I2 a delete wrote other columns than a delete may": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE f.effect = 'delete' AND NOT m.altered <@ ARRAY[{of_a_delete}]""",
    "I2 a row was removed that is in no archive": """
        SELECT count(*) FROM mine m WHERE m.kind = '-' AND NOT EXISTS (SELECT FROM audit_archivefile a
           WHERE a.change_id = m.change_id AND a.entity = '{entity}' AND m.id > a.lo AND m.id <= a.hi)""",
    "I3 rows added less rows removed is not what is there": """
        SELECT abs((SELECT count(*) FROM {name})
                 - (SELECT count(*) FILTER (WHERE history_type = '+') - count(*) FILTER (WHERE history_type = '-')
                      FROM {history}))""",
    "I3 an event that does not count its history rows": """
        SELECT count(*) FROM (SELECT event_id AS id, count(*) AS rows FROM {history} GROUP BY 1) h
          FULL JOIN (SELECT id, affected_rows FROM audit_event
                      WHERE target_table = 'public.{name}' AND operation <> '*') e USING (id)
         WHERE h.rows IS DISTINCT FROM e.affected_rows""",
    "I4 a change wrote to a row outside of its frozen set": """
        SELECT count(*) FROM mine m LEFT JOIN frozen f USING (change_id, id) WHERE f.id IS NULL""",
    "I4 a row that is not its own last version": """
        SELECT count(*) FROM {name} o LEFT JOIN LATERAL (
          SELECT ROW({columns})::text AS row FROM {history} h WHERE h.id = o.id ORDER BY h.history_id DESC LIMIT 1) v ON true
         WHERE v.row IS DISTINCT FROM ROW({present})::text""",
    "I6 a row was changed without enough votes of others": """
        SELECT count(*) FROM (SELECT DISTINCT change_id FROM mine) m JOIN changes_change c ON c.id = m.change_id
         WHERE (c.approvals_least > 0 OR c.operation = 'purge'
            OR EXISTS (SELECT FROM changes_changepart p JOIN audit_governedtable g ON g.entity = p.entity
                        WHERE p.change_id = c.id AND p.rows > g.row_limit))
           AND NOT EXISTS (SELECT FROM approvals_ticket t WHERE t.change_id = c.id AND t.state = 'approved'
                        AND t.digest = c.digest AND greatest(t.required, 1) <= (
                          SELECT count(DISTINCT v.person_id) FROM approvals_vote v WHERE v.ticket_id = t.id
                             AND v.decision = 'approve' AND v.digest = c.digest AND v.round = t.round
                             AND v.person_id <> c.requester_person_id))""",
    "I8 an undo nobody came between did not bring the row back bit by bit": """
        SELECT count(*) FROM mine u JOIN changes_change c ON c.id = u.change_id AND c.operation = 'undo'
          JOIN changes_change d ON d.id = c.undo_of_id AND d.operation IN ('delete', 'update', 'undo')
          LEFT JOIN chaos.before b ON b.change_id = c.undo_of_id AND b.entity = '{entity}' AND b.id = u.id
         WHERE u.before_change = c.undo_of_id AND u.kind = '~' AND u.row IS DISTINCT FROM b.row
           AND EXISTS (SELECT FROM chaos.before s WHERE s.change_id = c.undo_of_id)""",
    "I8 an undo overwrote what somebody had brought back before it": """
        SELECT count(*) FROM mine u JOIN changes_change c ON c.id = u.change_id AND c.operation = 'undo'
          JOIN changes_change d ON d.id = c.undo_of_id AND d.operation = 'delete'
         WHERE NOT u.before_deleted""",
    "I8 a trial was not taken back bit by bit": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id) JOIN mine n USING (change_id, id)
         WHERE f.reason = 'taken_back' AND m.nth = 1 AND n.nth = 2 AND n.before_change = n.change_id
           AND n.row IS DISTINCT FROM m.before_row""",
    "I8 a row went back to something else than the snapshot holds": """
        SELECT count(*) FROM mine m JOIN changes_change c ON c.id = m.change_id AND c.operation = 'rollback'
          JOIN frozen f ON f.change_id = m.change_id AND f.id = m.id AND f.token = m.before_xid::text::numeric % 4294967296
          JOIN audit_snapshot s ON s.id = (c.options->>'snapshot')::bigint
         CROSS JOIN LATERAL (SELECT ROW({columns})::text AS row FROM {history} h WHERE h.id = m.id
            AND pg_visible_in_snapshot(h.xid, s.pg_snapshot) ORDER BY h.history_id DESC LIMIT 1) v
         WHERE v.row <> m.row""",
    "I8 a sequence that fell behind the keys it gave": """
        SELECT count(*) FROM pg_sequences q WHERE q.schemaname || '.' || q.sequencename = pg_get_serial_sequence('{name}', 'id')
           AND q.last_value < (SELECT max(id) FROM {history})""",
}

OVERALL = {
    "I5 a range with a gap, or of another size than its rows": f"""
        SELECT count(*) FROM changes_change c JOIN changes_changepart p ON p.change_id = c.id
         CROSS JOIN LATERAL (SELECT coalesce(sum(l.rows), 0) AS rows, bool_and(l.lo = l.previous) AS joined
            FROM (SELECT l.*, lag(l.hi, 1, l.lo) OVER (ORDER BY l.lo) AS previous
                    FROM changes_lane l WHERE l.change_id = c.id AND l.part = p.part AND l.kind = 'rows') l) q
         WHERE c.started_at IS NOT NULL AND p.rows > 0 AND (q.rows <> p.rows OR NOT q.joined)
           AND c.id NOT IN ({SETTLED})""",
    "I5 a lane whose counts are not the rows it passed": f"""
        SELECT count(*) FROM changes_lane l JOIN changes_change c ON c.id = l.change_id
         WHERE l.kind = 'rows' AND c.id NOT IN ({SETTLED}) AND NOT (c.state = 'cancelling' AND c.canary = 'taking_back')
           AND l.applied + l.skipped <> (
          SELECT count(*) FROM changes_frozenrow r WHERE r.tenant_id = l.tenant_id AND r.change_id = l.change_id
             AND r.part = l.part AND r.position > l.lo AND r.position <= l.cursor)""",
    "I5 a lane that is done before its end": """
        SELECT count(*) FROM changes_lane WHERE state = 'done' AND (cursor <> hi OR kind = 'rows' AND applied + skipped <> rows)""",
    "I5 a change that is done with rows or lanes left": """
        SELECT count(*) FROM changes_change c WHERE c.state = 'done' AND (c.applied + c.skipped <> c.rows_total
           OR EXISTS (SELECT FROM changes_lane l WHERE l.change_id = c.id AND l.state <> 'done'))""",
    "I5 archive files of a part with a gap, or of other rows than were frozen": """
        SELECT count(*) FROM (
          SELECT a.*, lag(a.hi, 1, l.lo) OVER (PARTITION BY a.change_id, a.part ORDER BY a.lo) AS previous, l.cursor
            FROM audit_archivefile a JOIN changes_lane l ON l.change_id = a.change_id AND l.part = a.part AND l.kind = 'archive') a
         WHERE a.lo <> a.previous OR a.hi > a.cursor OR a.frozen <> (
          SELECT count(*) FROM changes_frozenrow r WHERE r.tenant_id = a.tenant_id AND r.change_id = a.change_id
             AND r.part = a.part AND r.position > a.lo AND r.position <= a.hi)""",
    "I3 a change whose events do not count what it applied": f"""
        SELECT count(*) FROM changes_change c WHERE c.started_at IS NOT NULL AND c.id NOT IN ({SETTLED}) AND
          (SELECT coalesce(sum(l.applied + 2 * l.taken_back), 0) FROM changes_lane l WHERE l.change_id = c.id) <>
          (SELECT coalesce(sum(e.affected_rows), 0) FROM audit_event e WHERE e.change_id = c.id AND e.operation <> '*')""",
    "I6 somebody decided on a request of their own": """
        SELECT count(*) FROM approvals_vote v JOIN approvals_ticket t ON t.id = v.ticket_id
          JOIN changes_change c ON c.id = t.change_id WHERE v.person_id = c.requester_person_id""",
    "I15 one request key, several changes": """
        SELECT count(*) FROM (SELECT FROM changes_change WHERE request_key IS NOT NULL
           GROUP BY tenant_id, requested_by_id, request_key HAVING count(*) > 1) q""",
}
