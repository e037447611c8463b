-- Lists what waits in a lane of one partition and is not granted, in the order of
-- service.
--
-- Parameters:
-- $1 partition, $2 lane, $3 most executions of a namespace and kind, and in all
-- place: $4 rank, $5 time and $6 id after which the executions come
-- $7 namespace?, any if null
--
-- Steps along ready_queue from one namespace to the next and in each from one kind to the
-- next, as far as a thousand of each, so that the cost grows with them and not with what
-- they have waiting.
-- Locks nothing.
WITH RECURSIVE namespaces(namespace, steps) AS (
    SELECT coalesce($7::text, '') COLLATE "C", CASE WHEN $7 IS NULL THEN 0 ELSE 1000 END
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
SELECT waiting.execution_id AS "execution_id!", waiting.kind AS "kind!",
       waiting.rank AS "rank!", waiting.ready_at AS "ready_at!: StoredTime",
       coalesce(waiting.required_capabilities, '{}') AS "required!",
       waiting.next_type = 'reclaim' AS "reclaimable!"
FROM namespaces n
CROSS JOIN LATERAL (
    WITH RECURSIVE present(kind, steps) AS (
        SELECT '' COLLATE "C", 0
        UNION ALL
        SELECT following.kind, p.steps + 1
        FROM present p
        CROSS JOIN LATERAL (
            SELECT r.kind FROM ready r
            WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = n.namespace
              AND r.kind > p.kind
            ORDER BY r.kind
            LIMIT 1
        ) AS following
        WHERE p.steps < 1000
    )
    SELECT kind FROM present
) AS k
CROSS JOIN LATERAL (
    SELECT r.*
    FROM ready r
    WHERE r.partition = $1 AND r.lane = $2 AND r.namespace = n.namespace AND r.kind = k.kind
      AND (r.granted_until IS NULL OR r.granted_until <= clock_timestamp())
      AND (r.rank, r.ready_at) >= ($4, $5)
      AND (r.rank, r.ready_at, r.execution_id) > ($4, $5, $6)
    ORDER BY r.rank, r.ready_at, r.execution_id
    LIMIT $3
) AS waiting
ORDER BY waiting.rank, waiting.ready_at, waiting.execution_id
LIMIT $3
