-- Removes what is kept of removed executions that have no event any more: those that were
-- removed before the oldest event.
--
-- $1 most rows, $2 last stripe of the log
-- Reads removed_execution_in_order, and the first row of each stripe by the primary key.
-- Locks the rows, skipping those that another statement locks.
WITH floor AS MATERIALIZED (
    SELECT xid, seq FROM event_floor
),
oldest AS MATERIALIZED (
    -- Without events: now.
    SELECT coalesce(min(e.at), statement_timestamp()) AS at
    FROM generate_series(0, $2::integer) AS stripes(stripe)
    CROSS JOIN LATERAL (
        SELECT e.at FROM event e
        WHERE e.stripe = stripes.stripe::smallint
          AND (e.xid, e.seq) > ((SELECT xid FROM floor), (SELECT seq FROM floor))
        ORDER BY e.xid, e.seq
        LIMIT 1
    ) AS e
)
DELETE FROM removed_execution WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM removed_execution
    -- A margin for transactions that end in another order than they read the clock.
    WHERE removed_at < (SELECT at FROM oldest) - interval '1 minute'
    ORDER BY removed_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED))
