-- Takes an execution out of its queue: waiting → blocked or rate limited.
--
-- $1 partition, $2 execution id, $3 state to park in, $4 reason, $5 detail?
-- operation: $6 actor, $7 reason?
-- Locks: the ready row.
WITH from_ready AS (
    DELETE FROM ready WHERE partition = $1 AND execution_id = $2 RETURNING *
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, reason_detail, ready_at, lane,
                        rank, epoch, attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, $3::text::parked_state, $4::text::blocking_reason, $5, ready_at,
           lane, rank, epoch, attempts, retries, reclaims, replays, next_type, resumes
    FROM from_ready
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'block', $6, $7::text, $4, epoch FROM from_ready
),
happened AS (
    SELECT 'blocked'::event_kind AS kind, r.execution_id, e.class_id, e.namespace,
           r.epoch, NULL::integer AS attempt, NULL::uuid AS lease_id,
           NULL::text AS worker_instance_id, $4::text AS detail
    FROM from_ready r JOIN execution e ON e.partition = $1 AND e.id = r.execution_id
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
SELECT epoch FROM from_ready
