-- Removes the oldest rows of the event log: those written longer ago than the
-- retention, and those for which there is no room.
--
-- Parameters, nullable where marked?:
-- $1 retention (ms)?, $2 most rows; a row holds the events of one batch, $3 last stripe,
-- $4 rows that are removed at any age
--
-- Reads the primary key in each stripe from the floor on, so that what was removed and not yet vacuumed
-- is not read again. Removes from the front only, and only what every reader could have
-- read, and advances the floor.
-- Locks: the floor, doing nothing when another sweep locks it, then the rows.
WITH floor AS MATERIALIZED (
    SELECT xid, seq FROM event_floor FOR UPDATE SKIP LOCKED
),
candidate AS (
    SELECT e.ctid AS address, e.xid, e.seq, cardinality(e.kinds) AS position,
           coalesce(bool_and(e.at <= statement_timestamp() - $1::bigint * interval '1 millisecond')
                        OVER in_order, false)
               OR row_number() OVER in_order <= $4::bigint AS past
    FROM (
        SELECT e.*
        FROM generate_series(0, $3::integer) AS stripes(stripe)
        CROSS JOIN LATERAL (
            SELECT e.ctid, e.* FROM event e
            WHERE e.stripe = stripes.stripe::smallint
              AND (e.xid, e.seq) > ((SELECT xid FROM floor), (SELECT seq FROM floor))
              AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY e.xid, e.seq
            LIMIT $2
        ) AS e
        ORDER BY e.xid, e.seq
        LIMIT $2
    ) AS e
    WINDOW in_order AS (ORDER BY e.xid, e.seq)
),
events_removed AS (
    DELETE FROM event WHERE ctid = ANY (ARRAY(SELECT address FROM candidate WHERE past))
    RETURNING xid, seq
),
floor_advanced AS (
    UPDATE event_floor SET (xid, seq, position) = (
        SELECT c.xid, c.seq, c.position FROM candidate c WHERE c.past
        ORDER BY c.xid DESC, c.seq DESC LIMIT 1)
    WHERE EXISTS (SELECT FROM candidate WHERE past)
)
SELECT count(*) AS "removed!" FROM events_removed
