-- Asks an operator about suspensions of one partition whose time has passed: they
-- stay suspended, without a time limit, and are shown as waiting for an operator.
--
-- $1 partition, $2 execution ids (sorted), $3 suspension ids. Those in the answer
-- were escalated.
-- Locks: the parked rows, then the suspensions.
WITH escalated AS (
    UPDATE parked p
    SET wake_at = NULL, reason = 'paused_by_operator', changes = p.changes + 1
    FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, suspension_id)
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = w.execution_id OFFSET 0
    ) AS found
    WHERE p.ctid = found.address AND p.suspension_id = w.suspension_id
      AND p.wake_at <= clock_timestamp()
    RETURNING p.execution_id, p.epoch
),
noted AS (
    UPDATE suspension s SET escalated_at = clock_timestamp()
    FROM escalated k
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = k.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, array_agg('escalated'::event_kind), array_agg(k.execution_id),
           array_agg(e.namespace), array_agg(k.epoch)
    FROM escalated k
    CROSS JOIN LATERAL (
        SELECT e.namespace FROM execution e
        WHERE e.partition = $1 AND e.id = k.execution_id OFFSET 0
    ) AS e
    HAVING count(*) > 0
)
SELECT execution_id FROM escalated
