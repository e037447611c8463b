-- Closes an open waitpoint. One that is active changes with the parked row of its
-- suspension, see `deliver.sql`.
--
-- $1 partition, $2 execution id, $3 waitpoint id, $4 actor, $5 reason?, $6 epoch.
-- Without an answer nothing was done.
-- Locks: the parked row, then the waitpoint.
WITH found AS (
    SELECT t.ctid AS address, t.state FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = $2 AND t.id = $3
),
stirred AS (
    UPDATE parked p SET changes = p.changes + 1
    FROM found f
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = $2 OFFSET 0
    ) AS place
    WHERE p.ctid = place.address AND p.state = 'suspended' AND f.state = 'active'
    RETURNING p.suspension_id
),
closed AS (
    UPDATE waitpoint t
    SET state = 'closed', close_reason = 'proactive_close', closed_at = clock_timestamp()
    FROM found f
    WHERE t.ctid = f.address
      AND (t.state = 'pending'
           OR t.state = 'active' AND t.suspension_id IN (SELECT suspension_id FROM stirred))
    RETURNING t.id, t.key
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, $2, 'close_waitpoint', $4, $5::text, key, $6 FROM closed
)
SELECT id FROM closed
