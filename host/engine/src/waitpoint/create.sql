-- Creates a pending waitpoint for a running execution, or extends the open one that has
-- its key.
--
-- $1 partition, $2 how many waitpoints may be open;
-- lease: $3 execution id, $4 id, $5 epoch, $6 attempt;
-- waitpoint: $7 the open one that has the key and that the token is for?, $8 id of a new
--   one, $9 key, $10 time to live (ms), $11 key id of its token, $12 fingerprint of that.
--
-- The lease row is written although nothing in it changes, so that no other write of its
-- holder comes in between. Without an answer nothing was done.
-- Locks: the waitpoint, then the lease row, in the order of `suspend.sql`.
WITH locked AS MATERIALIZED (
    SELECT w.ctid AS address FROM waitpoint w
    WHERE w.partition = $1 AND w.execution_id = $3 AND w.id = $7
    FOR UPDATE
),
touched AS (
    UPDATE lease l SET renewals = l.renewals
    FROM (SELECT l.ctid AS address, l.xmin AS version FROM lease l
          WHERE l.partition = $1 AND l.execution_id = $3 OFFSET 0) AS found
    WHERE l.ctid = found.address AND l.xmin = found.version AND l.lease_id = $4
      AND l.epoch = $5 AND l.attempt = $6
      AND l.expires_at > clock_timestamp()
      -- After the waitpoint is locked.
      AND (SELECT count(*) FROM locked) >= 0
    RETURNING l.execution_id
),
existing AS (
    SELECT w.key FROM waitpoint w
    WHERE w.partition = $1 AND w.execution_id = $3 AND w.state IN ('pending', 'active')
),
waitpoints_extended AS (
    UPDATE waitpoint w
    -- One without a time limit stays without one.
    SET expires_at = CASE WHEN w.expires_at IS NOT NULL
                          THEN greatest(w.expires_at, clock_timestamp()
                                        + $10::bigint * interval '1 millisecond') END
    FROM touched, locked q
    WHERE w.ctid = q.address AND w.state = 'pending'
    RETURNING w.id, w.expires_at, true AS existing
),
waitpoints AS (
    INSERT INTO waitpoint (partition, execution_id, id, key, state, token_kid,
                           token_fingerprint, expires_at)
    SELECT $1, $3, $8, $9, 'pending', $11, $12,
           clock_timestamp() + $10::bigint * interval '1 millisecond'
    FROM touched
    WHERE $7::uuid IS NULL AND NOT EXISTS (SELECT FROM existing WHERE key = $9)
      AND (SELECT count(*) FROM existing) < $2::integer
    RETURNING id, expires_at, false AS existing
)
SELECT id AS "id!", expires_at, existing AS "existing!"
FROM (SELECT * FROM waitpoints_extended UNION ALL SELECT * FROM waitpoints) AS answer
