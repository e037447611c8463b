-- Puts an execution back into its queue, where it was: blocked, rate limited or
-- waiting for children → waiting.
--
-- $1 partition, $2 execution id, $3 the reason it is expected to wait for, or
-- null for any, $4 who asks, $5 why?.
-- Locks: the parked row.
WITH woken AS (
    DELETE FROM parked
    WHERE partition = $1 AND execution_id = $2
      AND state IN ('blocked', 'rate_limited', 'waiting_children')
      AND ($3::text IS NULL OR reason = $3::text::blocking_reason)
    RETURNING *
),
known AS (
    SELECT w.*, e.kind, e.namespace, e.required_capabilities
    FROM woken w JOIN execution e ON e.partition = $1 AND e.id = w.execution_id
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
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'unblock', $4, $5::text, reason::text, epoch FROM woken
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, ARRAY['unblocked'::event_kind], ARRAY[execution_id], ARRAY[namespace],
           ARRAY[epoch]
    FROM known
)
SELECT epoch FROM known
