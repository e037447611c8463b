-- Returns executions of one partition to their queue that waited for a capable worker and
-- have one: blocked → waiting. Event: unblocked.
--
-- Parameters:
-- $1 partition, $2 execution to begin after, $3 most executions to read
--
-- Reads parked_without_worker. A worker is capable if it is live, works for the namespace
-- and the lane, and by itself runs the kind and offers all that is required. Rows that
-- another statement locks are skipped. An execution keeps its place in the queue.
-- Locks: the parked rows that are taken.
WITH candidate AS (
    SELECT p.ctid AS address, p.execution_id
    FROM parked p
    WHERE p.partition = $1 AND p.reason = 'waiting_for_capable_worker' AND p.execution_id > $2
    ORDER BY p.execution_id
    LIMIT $3
),
routable AS (
    SELECT c.address
    FROM candidate c
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = c.execution_id OFFSET 0
    ) AS e
    WHERE EXISTS (
        SELECT FROM worker w
        WHERE w.dead_at IS NULL AND w.expires_at > statement_timestamp()
          AND (w.namespace IS NULL OR w.namespace = e.namespace)
          AND (w.lanes = '{}' OR e.lane = ANY (w.lanes))
          AND e.kind = ANY (w.kinds)
          AND coalesce(string_to_array(e.required_capabilities, ','), '{}') <@ w.capabilities)
),
from_parked AS (
    DELETE FROM parked WHERE ctid = ANY (ARRAY(
        SELECT p.ctid FROM parked p
        WHERE p.ctid = ANY (ARRAY(SELECT address FROM routable))
          AND p.state = 'blocked' AND p.reason = 'waiting_for_capable_worker'
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING *
),
moved AS (
    SELECT p.*, e.kind, e.class_id, e.namespace, e.required_capabilities
    FROM from_parked p
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = p.execution_id OFFSET 0
    ) AS e
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, namespace, lane, rank, ready_at, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, namespace, lane, rank, coalesce(ready_at, clock_timestamp()), kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims,
           replays, next_type, resumes
    FROM moved
),
happened AS (
    SELECT 'unblocked'::event_kind AS kind, execution_id, class_id, namespace, epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           reason::text AS detail
    FROM moved
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, array_agg(kind), array_agg(execution_id), array_agg(class_id),
           array_agg(CASE WHEN class_id IS NULL THEN namespace END), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(worker_instance_id),
           CASE WHEN count(detail) > 0 THEN array_agg(detail) END
    FROM happened
    HAVING count(*) > 0
)
SELECT (SELECT count(*) FROM candidate) AS "candidates!",
       (SELECT count(*) FROM moved) AS "unblocked!",
       (SELECT execution_id FROM candidate ORDER BY execution_id DESC LIMIT 1) AS last
