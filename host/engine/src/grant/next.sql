-- Grants the first ready execution of a lane that fits a worker.
--
-- Parameters, nullable where marked?:
-- $1 partition, $2 lane
-- worker: $3 kinds?, null for any; $4 capabilities, $5 worker instance
-- grant: $6 id, $7 time to live (ms)
--
-- Steps along ready_queue from one namespace to the next, as far as a thousand, and
-- compares the first of each. Rows that a claim locks or that are granted are skipped.
-- Locks: the first ready row of each namespace.
WITH RECURSIVE namespaces(namespace, steps) AS (
    SELECT '' COLLATE "C", 0
    UNION ALL
    SELECT following.namespace, n.steps + 1
    FROM namespaces n
    CROSS JOIN LATERAL (
        SELECT r.namespace FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace > n.namespace
        ORDER BY r.namespace
        LIMIT 1
    ) AS following
    WHERE n.steps < 1000
)
UPDATE ready
SET grant_id = $6, granted_to = $5,
    granted_until = clock_timestamp() + $7::integer * interval '1 millisecond'
WHERE ctid = ANY (ARRAY(
    SELECT candidate.ctid
    FROM namespaces n
    CROSS JOIN LATERAL (
        SELECT r.ctid, r.rank, r.ready_at
        FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = n.namespace
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
