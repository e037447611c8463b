-- Promises the first ready execution of a lane that fits a worker.
--
-- $1 partition, $2 lane, $3 kinds or null for any, $4 capabilities, $5 grant,
-- $6 worker instance, $7 time to live (ms).
-- Steps along ready_queue from one namespace to the next, as far as a thousand, and
-- compares the first of each. Rows a claim holds or a grant promises are skipped.
-- Locks: the first ready row of each namespace.
WITH RECURSIVE met(namespace, steps) AS (
    SELECT '' COLLATE "C", 0
    UNION ALL
    SELECT following.namespace, met.steps + 1
    FROM met
    CROSS JOIN LATERAL (
        SELECT r.namespace FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace > met.namespace
        ORDER BY r.namespace
        LIMIT 1
    ) AS following
    WHERE met.steps < 1000
)
UPDATE ready
SET grant_id = $5, granted_to = $6,
    granted_until = clock_timestamp() + $7::integer * interval '1 millisecond'
WHERE ctid = ANY (ARRAY(
    SELECT candidate.ctid
    FROM met
    CROSS JOIN LATERAL (
        SELECT r.ctid, r.rank, r.ready_at
        FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = met.namespace
          AND ($3::text[] IS NULL OR r.kind = ANY ($3))
          AND (r.required_capabilities IS NULL OR r.required_capabilities <@ $4::text[])
          AND (r.granted_until IS NULL OR r.granted_until <= clock_timestamp())
        ORDER BY r.rank, r.ready_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS candidate
    ORDER BY candidate.rank, candidate.ready_at
    LIMIT 1))
RETURNING execution_id, granted_until AS "granted_until!"
