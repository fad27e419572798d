"""The rules, as queries that return how many rows break them. Plain SQL over the catalog's own tables.

Names in braces are of one governed table; `mine` holds every history row a change wrote, with the version it
was made from, and `frozen` every frozen row, with where its lane stands.
"""

MINE = """
CREATE TEMP TABLE mine ON COMMIT DROP AS
SELECT * FROM (
  SELECT h.id, h.change_id, h.is_deleted, ROW({columns})::text AS row, ROW({others})::text AS rest,
         lag(h.xid) OVER w AS before_xid, lag(h.is_deleted) OVER w AS before_deleted,
         lag(h.change_id) OVER w AS before_change, lag(ROW({others})::text) OVER w AS before_rest
    FROM {history} h WINDOW w AS (PARTITION BY h.id ORDER BY h.history_id)) q
 WHERE change_id IS NOT NULL;
CREATE INDEX ON mine (change_id, id);
ANALYZE mine;
CREATE TEMP TABLE frozen ON COMMIT DROP AS
SELECT r.change_id, r.part, r.position AS id, r.token::text::bigint AS token, c.operation, c.undo_of_id,
       l.cursor >= r.position AS passed, s.position IS NOT NULL AS skipped
  FROM changes_changepart p
  JOIN changes_change c ON c.id = p.change_id
  JOIN changes_frozenrow r ON r.tenant_id = p.tenant_id AND r.change_id = p.change_id AND r.part = p.part
  LEFT JOIN changes_skippedrow s ON s.tenant_id = r.tenant_id AND s.change_id = r.change_id AND s.part = r.part
        AND s.position = r.position
  LEFT JOIN changes_lane l ON l.change_id = r.change_id AND l.part = r.part AND r.position > l.lo AND r.position <= l.hi
 WHERE p.entity = '{entity}';
CREATE INDEX ON frozen (change_id, id);
ANALYZE frozen;
"""

PER_TABLE = {
    "I1 passed, but neither changed nor listed as left alone": """
        SELECT count(*) FROM frozen f LEFT JOIN mine m USING (change_id, id)
         WHERE f.passed AND m.id IS NULL AND NOT f.skipped""",
    "I1 both changed and listed as left alone": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id) WHERE f.skipped""",
    "I1 changed or listed before its chunk committed": """
        SELECT count(*) FROM frozen f LEFT JOIN mine m USING (change_id, id)
         WHERE f.passed IS NOT TRUE AND (m.id IS NOT NULL OR f.skipped)""",
    "I1 a row that had moved was deleted all the same": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE f.operation = 'delete' AND m.before_xid::text::numeric % 4294967296 <> f.token""",
    "I1 an unmoved row was left alone": """
        SELECT count(*) FROM frozen f WHERE f.skipped AND f.operation = 'delete' AND NOT EXISTS (
          SELECT FROM {history} v JOIN {history} w ON w.id = v.id AND w.history_id > v.history_id
           WHERE v.id = f.id AND v.xid::text::numeric % 4294967296 = f.token)""",
    "I2 changed more than once by one change": """
        SELECT count(*) FROM (SELECT FROM mine GROUP BY change_id, id HAVING count(*) > 1) q""",
    "I2 deleted without being marked so, or deleted twice": """
        SELECT count(*) FROM frozen f JOIN mine m USING (change_id, id)
         WHERE f.operation = 'delete' AND (NOT m.is_deleted OR m.before_deleted)""",
    "I2 other columns were written than the change may write": """
        SELECT count(*) FROM mine m WHERE m.rest IS DISTINCT FROM m.before_rest""",
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
        SELECT count(*) FROM {name} o LEFT JOIN (
          SELECT DISTINCT ON (h.id) h.id, ROW({columns})::text AS row FROM {history} h ORDER BY h.id, h.history_id DESC) v
            ON v.id = o.id WHERE v.row IS DISTINCT FROM ROW({present})::text""",
    "I6 a row was changed without enough votes of others": """
        SELECT count(*) FROM (SELECT DISTINCT change_id FROM mine) m JOIN changes_change c ON c.id = m.change_id
         WHERE EXISTS (SELECT FROM changes_changepart p JOIN audit_governedtable g ON g.entity = p.entity
                        WHERE p.change_id = c.id AND p.rows > g.row_limit)
           AND NOT EXISTS (SELECT FROM approvals_ticket t WHERE t.change_id = c.id AND t.state = 'approved'
                        AND t.digest = c.digest AND t.required <= (
                          SELECT count(DISTINCT v.person_id) FROM approvals_vote v WHERE v.ticket_id = t.id
                             AND v.decision = 'approve' AND v.digest = c.digest
                             AND v.person_id <> c.requester_person_id))""",
    "I8 an undo nobody came between did not bring the row back bit by bit": """
        SELECT count(*) FROM mine u JOIN changes_change c ON c.id = u.change_id AND c.operation = 'undo'
          JOIN changes_change d ON d.id = c.undo_of_id AND d.operation = 'delete'
          LEFT JOIN chaos.before b ON b.change_id = c.undo_of_id AND b.entity = '{entity}' AND b.id = u.id
         WHERE u.before_change = c.undo_of_id AND u.row IS DISTINCT FROM b.row
           AND EXISTS (SELECT FROM chaos.before s WHERE s.change_id = c.undo_of_id)""",
    "I8 an undo overwrote what somebody had brought back before it": """
        SELECT count(*) FROM mine u JOIN changes_change c ON c.id = u.change_id AND c.operation = 'undo'
          JOIN changes_change d ON d.id = c.undo_of_id AND d.operation = 'delete'
         WHERE NOT u.before_deleted""",
}

OVERALL = {
    "I5 a range with a gap, or of another size than its rows": """
        SELECT count(*) FROM changes_change c JOIN changes_changepart p ON p.change_id = c.id
         CROSS JOIN LATERAL (SELECT coalesce(sum(l.rows), 0) AS rows, bool_and(l.lo = l.previous) AS joined
            FROM (SELECT l.*, lag(l.hi, 1, l.lo) OVER (ORDER BY l.lo) AS previous
                    FROM changes_lane l WHERE l.change_id = c.id AND l.part = p.part) l) q
         WHERE c.started_at IS NOT NULL AND p.rows > 0 AND (q.rows <> p.rows OR NOT q.joined)""",
    "I5 a lane whose counts are not the rows it passed": """
        SELECT count(*) FROM changes_lane l WHERE l.applied + l.skipped <> (
          SELECT count(*) FROM changes_frozenrow r WHERE r.tenant_id = l.tenant_id AND r.change_id = l.change_id
             AND r.part = l.part AND r.position > l.lo AND r.position <= l.cursor)""",
    "I5 a lane that is done before its end": """
        SELECT count(*) FROM changes_lane WHERE state = 'done' AND (applied + skipped <> rows OR cursor <> hi)""",
    "I5 a change that is done with rows or lanes left": """
        SELECT count(*) FROM changes_change c WHERE c.state = 'done' AND (c.applied + c.skipped <> c.rows_total
           OR EXISTS (SELECT FROM changes_lane l WHERE l.change_id = c.id AND l.state <> 'done'))""",
    "I3 a change whose events do not count what it applied": """
        SELECT count(*) FROM changes_change c WHERE c.started_at IS NOT NULL AND
          (SELECT coalesce(sum(l.applied), 0) FROM changes_lane l WHERE l.change_id = c.id) <>
          (SELECT coalesce(sum(e.affected_rows), 0) FROM audit_event e WHERE e.change_id = c.id AND e.operation <> '*')""",
    "I6 somebody decided on a request of their own": """
        SELECT count(*) FROM approvals_vote v JOIN approvals_ticket t ON t.id = v.ticket_id
          JOIN changes_change c ON c.id = t.change_id WHERE v.person_id = c.requester_person_id""",
}
