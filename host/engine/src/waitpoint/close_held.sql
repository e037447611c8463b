-- Closes a pending waitpoint of a running execution for the holder of its lease.
--
-- $1 partition; lease: $2 execution id, $3 id, $4 epoch, $5 attempt;
-- waitpoint: $6 id.
--
-- The lease row is written although nothing in it changes, so that no other write of its
-- holder comes in between. Without an answer nothing was done.
-- Locks: the waitpoint, then the lease row, in the order of `suspend.sql`.
WITH locked AS MATERIALIZED (
    SELECT w.ctid AS address FROM waitpoint w
    WHERE w.partition = $1 AND w.execution_id = $2 AND w.id = $6 AND w.state = 'pending'
    FOR UPDATE
),
touched AS (
    UPDATE lease l SET renewals = l.renewals
    FROM (SELECT l.ctid AS address, l.xmin AS version FROM lease l
          WHERE l.partition = $1 AND l.execution_id = $2 OFFSET 0) AS found
    WHERE l.ctid = found.address AND l.xmin = found.version AND l.lease_id = $3
      AND l.epoch = $4 AND l.attempt = $5
      AND l.expires_at > clock_timestamp()
      -- After the waitpoint is locked.
      AND (SELECT count(*) FROM locked) > 0
    RETURNING l.execution_id
),
waitpoints_closed AS (
    UPDATE waitpoint w
    SET state = 'closed', close_reason = 'proactive_close', closed_at = clock_timestamp()
    FROM touched, locked q
    WHERE w.ctid = q.address AND w.state = 'pending'
    RETURNING w.id
)
SELECT id FROM waitpoints_closed
