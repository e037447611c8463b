-- Asks an operator about suspensions of one partition past their timeout: they stay
-- suspended, without a timeout, and read as waiting for an operator. Event: escalated.
--
-- Parameters:
-- $1 partition
-- suspensions: $2 execution ids (sorted), $3 suspension ids
--
-- Returns the executions whose suspension was escalated.
-- Locks: the parked rows, then the suspensions.
WITH escalated AS (
    UPDATE parked p
    SET wake_at = NULL, reason = 'paused_by_operator', changes = p.changes + 1
    FROM unnest($2::uuid[], $3::uuid[]) AS i(execution_id, suspension_id)
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = i.execution_id OFFSET 0
    ) AS found
    WHERE p.ctid = found.address AND p.suspension_id = i.suspension_id
      AND p.wake_at <= clock_timestamp()
    RETURNING p.execution_id, p.epoch
),
suspensions_escalated AS (
    UPDATE suspension s SET escalated_at = clock_timestamp()
    FROM escalated k
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = k.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
happened AS (
    SELECT 'escalated'::event_kind AS kind, k.execution_id, e.class_id, e.namespace, k.epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           NULL::text AS detail
    FROM escalated k
    CROSS JOIN LATERAL (
        SELECT e.class_id, e.namespace FROM execution e
        WHERE e.partition = $1 AND e.id = k.execution_id OFFSET 0
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
SELECT execution_id FROM escalated
