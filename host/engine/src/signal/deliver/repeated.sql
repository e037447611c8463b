-- Writes that signals of one partition were delivered again. Event: signalled.
--
-- $1 partition; then arrays, one element per delivery: $2 executions, $3 the first
-- signals, $4 waitpoints, $5 who sent them.
-- Locks nothing.
WITH happened AS (
    SELECT 'signalled'::event_kind AS kind, i.execution_id, e.class_id, e.namespace,
           coalesce(
               (SELECT l.epoch FROM lease l WHERE l.partition = $1 AND l.execution_id = e.id),
               (SELECT r.epoch FROM ready r WHERE r.partition = $1 AND r.execution_id = e.id),
               (SELECT p.epoch FROM parked p WHERE p.partition = $1 AND p.execution_id = e.id),
               (SELECT f.epoch FROM finished f WHERE f.partition = $1 AND f.execution_id = e.id),
               0) AS epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           concat_ws(' ', i.id, i.waitpoint_id, 'deduped', i.source_identity) AS detail
    FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[])
        AS i(execution_id, id, waitpoint_id, source_identity)
    CROSS JOIN LATERAL (
        SELECT e.id, e.class_id, e.namespace FROM execution e
        WHERE e.partition = $1 AND e.id = i.execution_id OFFSET 0
    ) AS e
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
SELECT count(*) AS "repeated!" FROM happened
