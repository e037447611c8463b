-- Promotes delayed executions of one partition that are due: delayed → waiting. Event:
-- promoted.
--
-- Parameters:
-- $1 partition, $2 most executions
--
-- Reads parked_due; a clock that moves within the statement could not bound the index.
-- Rows that another sweep locks are skipped. An execution is ready since it was due.
-- Locks: the parked rows taken.
WITH from_parked AS (
    DELETE FROM parked WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM parked
        WHERE partition = $1 AND wake_at <= statement_timestamp() AND state = 'delayed'
        ORDER BY wake_at
        LIMIT $2
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
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, ready_at, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, lane, namespace, rank, wake_at, kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims, replays, next_type, resumes
    FROM moved
),
happened AS (
    SELECT 'promoted'::event_kind AS kind, execution_id, class_id, namespace, epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           NULL::text AS detail
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
SELECT count(*) AS "promoted!" FROM moved
