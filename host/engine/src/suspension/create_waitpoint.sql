-- Makes a pending waitpoint for a running execution, or lets the open one with its
-- key live longer.
--
-- $1 partition, $2 execution id, $3 lease id, $4 epoch, $5 attempt; $6 id, $7 key,
-- $8 kid, $9 fingerprint, $10 time to live (ms), $11 most open waitpoints, $12 the
-- open one with that key, for which the token is?.
--
-- The lease row is written anew, so that no other write of its holder comes in
-- between. Without an answer nothing was done.
-- Locks: the waitpoint, then the lease row, as whoever suspends on it.
WITH existing AS MATERIALIZED (
    SELECT t.ctid AS address FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = $2 AND t.id = $12
    FOR UPDATE
),
held AS (
    UPDATE lease l SET renewals = l.renewals
    FROM (SELECT l.ctid AS address, l.xmin AS version FROM lease l
          WHERE l.partition = $1 AND l.execution_id = $2 OFFSET 0) AS found
    WHERE l.ctid = found.address AND l.xmin = found.version AND l.lease_id = $3
      AND l.epoch = $4 AND l.attempt = $5
      AND l.expires_at > clock_timestamp()
      -- After the waitpoint is locked.
      AND (SELECT count(*) FROM existing) >= 0
    RETURNING l.execution_id
),
open AS (
    SELECT t.key FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = $2 AND t.state IN ('pending', 'active')
),
longer AS (
    UPDATE waitpoint t
    -- One without a time limit keeps none.
    SET expires_at = CASE WHEN t.expires_at IS NOT NULL
                          THEN greatest(t.expires_at, clock_timestamp()
                                        + $10::bigint * interval '1 millisecond') END
    FROM held, existing e
    WHERE t.ctid = e.address AND t.state = 'pending'
    RETURNING t.id, t.expires_at, true AS existing
),
made AS (
    INSERT INTO waitpoint (partition, execution_id, id, key, state, token_kid,
                           token_fingerprint, expires_at)
    SELECT $1, $2, $6, $7, 'pending', $8, $9,
           clock_timestamp() + $10::bigint * interval '1 millisecond'
    FROM held
    WHERE $12::uuid IS NULL AND NOT EXISTS (SELECT FROM open WHERE key = $7)
      AND (SELECT count(*) FROM open) < $11::integer
    RETURNING id, expires_at, false AS existing
)
SELECT id AS "id!", expires_at, existing AS "existing!"
FROM (SELECT * FROM longer UNION ALL SELECT * FROM made) AS answer
