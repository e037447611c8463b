-- Grants the first ready execution of a lane that fits a worker.
--
-- Parameters, nullable where marked?:
-- $1 partition, $2 lane
-- worker: $3 kinds?, null for any; $4 capabilities, $5 worker instance
-- grant: $6 id, $7 time to live (ms)
-- $8 namespace?, any if null
--
-- Steps along ready_queue from one namespace to the next, as far as a thousand, unless
-- one is given, and for
-- any kind also from one kind to the next; compares the first of each, and takes the
-- first of all. A row that a claim locks is skipped for the next of its kind, and rows
-- that are granted are skipped.
-- Locks: the ready row taken.
WITH RECURSIVE namespaces(namespace, steps) AS (
    SELECT coalesce($8::text, '') COLLATE "C", CASE WHEN $8 IS NULL THEN 0 ELSE 1000 END
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
),
candidate AS (
    SELECT n.namespace, k.kind, first.rank, first.ready_at
    FROM namespaces n
    CROSS JOIN LATERAL (
        WITH RECURSIVE present(kind) AS (
            SELECT '' COLLATE "C" WHERE $3::text[] IS NULL
            UNION ALL
            SELECT following.kind
            FROM present p
            CROSS JOIN LATERAL (
                SELECT r.kind FROM ready r
                WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = n.namespace
                  AND r.kind > p.kind
                ORDER BY r.kind
                LIMIT 1
            ) AS following
        )
        SELECT unnest(coalesce($3, ARRAY(SELECT kind FROM present))) AS kind
    ) AS k
    CROSS JOIN LATERAL (
        SELECT r.rank, r.ready_at
        FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = n.namespace AND r.kind = k.kind
          AND (r.required_capabilities IS NULL OR r.required_capabilities <@ $4::text[])
          AND (r.granted_until IS NULL OR r.granted_until <= clock_timestamp())
        ORDER BY r.rank, r.ready_at
        LIMIT 1
    ) AS first
    ORDER BY first.rank, first.ready_at
)
UPDATE ready
SET grant_id = $6, granted_to = $5,
    granted_until = clock_timestamp() + $7::integer * interval '1 millisecond'
WHERE ctid = ANY (ARRAY(
    SELECT first.ctid
    FROM candidate c
    CROSS JOIN LATERAL (
        SELECT r.ctid
        FROM ready r
        WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = c.namespace AND r.kind = c.kind
          AND (r.required_capabilities IS NULL OR r.required_capabilities <@ $4::text[])
          AND (r.granted_until IS NULL OR r.granted_until <= clock_timestamp())
        ORDER BY r.rank, r.ready_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS first
    LIMIT 1))
RETURNING execution_id, namespace, granted_until AS "granted_until!"
