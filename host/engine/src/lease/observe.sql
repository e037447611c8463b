-- Reads what executions of one partition are to callers with fences.
--
-- $1 partition
-- fences: $2 execution ids, $3 lease ids, $4 epochs
-- Locks nothing.
SELECT i.execution_id AS "execution_id!",
       coalesce((SELECT true FROM execution e
                 WHERE e.partition = $1 AND e.id = i.execution_id), false) AS "exists!",
       l.lease_id AS "lease_id?", l.epoch AS "lease_epoch?", l.attempt AS "lease_attempt?",
       l.expires_at <= clock_timestamp() AS lease_expired,
       f.outcome::text AS outcome, p.state::text AS parked_state,
       coalesce(f.epoch, p.epoch, r.epoch) AS epoch,
       a.ended::text AS own_end, a.released_at AS "released_at?", a.due_at AS "due_at?",
       a.failure_class::text AS failure_class, a.failure_code AS "failure_code?",
       a.failure_message AS "failure_message?",
       CASE WHEN f.lease_id = i.lease_id THEN f.source END AS source,
       CASE WHEN f.lease_id = i.lease_id AND f.result IS NOT NULL
            THEN sha256(convert_to(f.result_type, 'UTF8') || '\x00'::bytea || f.result)
            ELSE a.result_digest END AS result_digest
FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) AS i(execution_id, lease_id, epoch)
LEFT JOIN LATERAL (
    SELECT l.* FROM lease l WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
) AS l ON true
LEFT JOIN LATERAL (
    SELECT f.* FROM finished f WHERE f.partition = $1 AND f.execution_id = i.execution_id OFFSET 0
) AS f ON true
LEFT JOIN LATERAL (
    SELECT p.* FROM parked p WHERE p.partition = $1 AND p.execution_id = i.execution_id OFFSET 0
) AS p ON true
LEFT JOIN LATERAL (
    SELECT r.* FROM ready r WHERE r.partition = $1 AND r.execution_id = i.execution_id OFFSET 0
) AS r ON true
LEFT JOIN LATERAL (
    SELECT a.* FROM ended_lease a
    WHERE a.partition = $1 AND a.execution_id = i.execution_id AND a.epoch = i.epoch
      AND a.lease_id = i.lease_id OFFSET 0
) AS a ON true
