-- Returns an execution to its place in its queue: blocked, rate limited or waiting for
-- children → waiting.
--
-- $1 partition, $2 execution id, $3 the reason it is expected to wait for, or null for any
-- operation: $4 actor, $5 reason?
-- Locks: the parked row.
WITH from_parked AS (
    DELETE FROM parked
    WHERE partition = $1 AND execution_id = $2
      AND state IN ('blocked', 'rate_limited', 'waiting_children')
      AND ($3::text IS NULL OR reason = $3::text::blocking_reason)
    RETURNING *
),
moved AS (
    SELECT p.*, e.kind, e.class_id, e.namespace, e.required_capabilities
    FROM from_parked p JOIN execution e ON e.partition = $1 AND e.id = p.execution_id
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
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'unblock', $4, $5::text, reason::text, epoch FROM moved
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
SELECT epoch FROM moved
