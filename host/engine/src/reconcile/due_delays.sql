-- Promotes delayed executions of one partition whose time has come:
-- delayed → waiting.
--
-- $1 partition, $2 most executions. Reads parked_due; a clock that moves
-- within the statement could not bound the index. Rows another sweep holds
-- are skipped. An execution keeps its place in time: it is ready since it was
-- due.
-- Locks: the parked rows taken.
WITH woken AS (
    DELETE FROM parked WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM parked
        WHERE partition = $1 AND wake_at <= statement_timestamp() AND state = 'delayed'
        ORDER BY wake_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING *
),
promoted AS (
    SELECT w.*, e.kind, e.namespace, e.required_capabilities
    FROM woken w
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = w.execution_id OFFSET 0
    ) AS e
),
queued AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, ready_at, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, lane, namespace, rank, wake_at, kind, string_to_array(required_capabilities, ','),
           epoch, attempts, retries, reclaims, replays, next_type, resumes
    FROM promoted
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, array_agg('promoted'::event_kind), array_agg(execution_id), array_agg(namespace),
           array_agg(epoch)
    FROM promoted HAVING count(*) > 0
)
SELECT lane AS "lane!" FROM promoted
