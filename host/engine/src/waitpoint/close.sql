-- Closes an open waitpoint. One that is active changes with the parked row of its
-- suspension, see `signal/deliver/deliver.sql`.
--
-- $1 partition, $2 execution id, $3 waitpoint id; operation: $4 actor, $5 reason?, $6
-- epoch.
-- Without an answer nothing was done.
-- Locks: the parked row, then the waitpoint.
WITH existing AS (
    SELECT w.ctid AS address, w.state FROM waitpoint w
    WHERE w.partition = $1 AND w.execution_id = $2 AND w.id = $3
),
touched AS (
    UPDATE parked p SET changes = p.changes + 1
    FROM existing q
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = $2 OFFSET 0
    ) AS found
    WHERE p.ctid = found.address AND p.state = 'suspended' AND q.state = 'active'
    RETURNING p.suspension_id
),
waitpoints_closed AS (
    UPDATE waitpoint w
    SET state = 'closed', close_reason = 'proactive_close', closed_at = clock_timestamp()
    FROM existing q
    WHERE w.ctid = q.address
      AND (w.state = 'pending'
           OR w.state = 'active' AND w.suspension_id IN (SELECT suspension_id FROM touched))
    RETURNING w.id, w.key
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, $2, 'close_waitpoint', $4, $5::text, key, $6 FROM waitpoints_closed
)
SELECT id FROM waitpoints_closed
