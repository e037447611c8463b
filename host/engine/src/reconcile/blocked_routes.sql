-- Puts executions of one partition back into their queue that waited for a capable
-- worker and have one: blocked → waiting.
--
-- $1 partition, $2 where to begin: after this execution, $3 most executions to look
-- at.
--
-- Reads parked_without_worker. A worker is capable if it lives, works for the
-- namespace and the lane, and by itself runs the kind and offers whatever is
-- required. Rows somebody else holds are passed by. An execution keeps its place.
-- Locks: the parked rows that are taken.
WITH looked AS (
    SELECT p.ctid AS address, p.execution_id
    FROM parked p
    WHERE p.partition = $1 AND p.reason = 'waiting_for_capable_worker' AND p.execution_id > $2
    ORDER BY p.execution_id
    LIMIT $3
),
routable AS (
    SELECT l.address
    FROM looked l
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = l.execution_id OFFSET 0
    ) AS e
    WHERE EXISTS (
        SELECT FROM worker w
        WHERE w.dead_at IS NULL AND w.expires_at > statement_timestamp()
          AND (w.namespace IS NULL OR w.namespace = e.namespace)
          AND (w.lanes = '{}' OR e.lane = ANY (w.lanes))
          AND e.kind = ANY (w.kinds)
          AND coalesce(string_to_array(e.required_capabilities, ','), '{}') <@ w.capabilities)
),
woken AS (
    DELETE FROM parked WHERE ctid = ANY (ARRAY(
        SELECT p.ctid FROM parked p
        WHERE p.ctid = ANY (ARRAY(SELECT address FROM routable))
          AND p.state = 'blocked' AND p.reason = 'waiting_for_capable_worker'
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING *
),
known AS (
    SELECT w.*, e.kind, e.namespace, e.required_capabilities
    FROM woken w
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = w.execution_id OFFSET 0
    ) AS e
),
queued AS (
    INSERT INTO ready (partition, execution_id, namespace, lane, rank, ready_at, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, namespace, lane, rank, coalesce(ready_at, clock_timestamp()), kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims,
           replays, next_type, resumes
    FROM known
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, array_agg('unblocked'::event_kind), array_agg(execution_id), array_agg(namespace),
           array_agg(epoch)
    FROM known HAVING count(*) > 0
)
SELECT (SELECT count(*) FROM looked) AS "looked!", (SELECT count(*) FROM known) AS "woken!",
       (SELECT execution_id FROM looked ORDER BY execution_id DESC LIMIT 1) AS last
