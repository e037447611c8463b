-- Removes the oldest rows of the event log: those written longer ago than the
-- retention.
--
-- $1 retention (ms), $2 most rows; a row holds the events of one batch. Reads the
-- primary key from the floor on, so that what was removed and not yet vacuumed is
-- not passed again. Removes from the front only, and only what every reader could
-- have read, and moves the floor along.
-- Locks: the floor, skipping the sweep when another holds it, then the rows.
WITH floor AS MATERIALIZED (
    SELECT xid, seq FROM event_floor FOR UPDATE SKIP LOCKED
),
oldest AS (
    SELECT e.ctid AS address, e.xid, e.seq, cardinality(e.kinds) AS position,
           bool_and(e.at <= statement_timestamp() - $1::bigint * interval '1 millisecond')
               OVER (ORDER BY e.xid, e.seq) AS past
    FROM (
        SELECT e.ctid, e.* FROM event e
        WHERE (e.xid, e.seq) > ((SELECT xid FROM floor), (SELECT seq FROM floor))
          AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.seq
        LIMIT $2
    ) AS e
),
gone AS (
    DELETE FROM event WHERE ctid = ANY (ARRAY(SELECT address FROM oldest WHERE past))
    RETURNING xid, seq
),
moved AS (
    UPDATE event_floor SET (xid, seq, position) = (
        SELECT o.xid, o.seq, o.position FROM oldest o WHERE o.past
        ORDER BY o.xid DESC, o.seq DESC LIMIT 1)
    WHERE EXISTS (SELECT FROM oldest WHERE past)
)
SELECT count(*) AS "removed!" FROM gone
