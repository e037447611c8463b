-- Reads what happened to an execution, from a place in each source on; the caller merges
-- the sources by time.
--
-- $1 partition, $2 execution id, $3 namespace?
-- place: $4 the first epoch, $5 after this operation, $6 after the outcome that so many
--   replays preceded
-- page: $7 at most so many rows of each source
--
-- Without a row of the source `execution`, the namespace has no such execution.
-- Walks the primary keys of attempt and operation, and looks up one row each of
-- execution, finished and lease. Locks nothing.
SELECT h.source AS "source!", h.place AS "place!", h.at AS "at!: StoredTime",
       h.until AS "until: StoredTime", h.what AS "what!", h.ended, h.epoch, h.attempt,
       h.worker_instance_id, h.subject, h.detail, h.reason
FROM (
    SELECT 'execution' AS source, 0::bigint AS place, e.created_at AS at,
           NULL::timestamptz AS until, 'created' AS what, NULL AS ended, NULL::bigint AS epoch,
           NULL::integer AS attempt, NULL AS worker_instance_id, e.creator AS subject,
           NULL AS detail, NULL AS reason
    FROM execution e
    WHERE e.partition = $1 AND e.id = $2 AND ($3::text IS NULL OR e.namespace = $3)
    UNION ALL
    (SELECT 'lease', a.epoch, a.acquired_at, a.released_at, a.attempt_type::text, a.ended::text,
            a.epoch, a.attempt, a.worker_instance_id, a.failure_code, a.failure_message, NULL
     FROM attempt a
     WHERE a.partition = $1 AND a.execution_id = $2 AND a.epoch >= $4
     ORDER BY a.epoch LIMIT $7)
    UNION ALL
    SELECT 'lease', f.lease_epoch, f.acquired_at, f.finished_at, f.attempt_type::text,
           f.ended::text, f.lease_epoch, f.attempts - 1, f.worker_instance_id, f.failure_code,
           f.failure_message, NULL
    FROM finished f
    WHERE f.partition = $1 AND f.execution_id = $2 AND f.lease_epoch >= $4
    UNION ALL
    SELECT 'lease', l.epoch, l.acquired_at, NULL, l.attempt_type::text, NULL, l.epoch, l.attempt,
           l.worker_instance_id, NULL, NULL, NULL
    FROM lease l
    WHERE l.partition = $1 AND l.execution_id = $2 AND l.epoch >= $4
    UNION ALL
    (SELECT 'operation', o.seq, o.at, NULL, o.verb, NULL, o.epoch, NULL, NULL, o.actor, o.detail,
            o.reason
     FROM operation o
     WHERE o.partition = $1 AND o.execution_id = $2 AND o.seq > $5
     ORDER BY o.seq LIMIT $7)
    UNION ALL
    SELECT 'outcome', f.replays, f.finished_at, NULL, f.outcome::text, NULL, f.epoch, NULL, NULL,
           f.failure_code, f.failure_message, NULL
    FROM finished f
    WHERE f.partition = $1 AND f.execution_id = $2 AND f.replays > $6::bigint
) AS h
ORDER BY h.place
