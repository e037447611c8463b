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
    SELECT p.*, e.kind, e.namespace, e.required_capabilities
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
    SELECT 'promoted'::event_kind AS kind, execution_id, namespace, epoch FROM moved
),
events AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, array_agg(kind), array_agg(execution_id), array_agg(namespace), array_agg(epoch)
    FROM happened
    HAVING count(*) > 0
)
SELECT count(*) AS "promoted!" FROM moved
