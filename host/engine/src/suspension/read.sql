-- Reads suspensions of an execution, oldest first.
--
-- $1 partition, $2 execution id
-- page: $3 after the suspension of this number, $4 at most so many rows, $5 most bytes of
--   conditions and satisfiers before the last of them
--
-- `found` counts the suspensions after that place, up to $4.
-- Walks the primary key of suspension. Locks nothing.
SELECT s.seq AS "seq!", s.id AS "id!", s.attempt AS "attempt!", s.reason AS "reason!",
       s.requested_by AS "requested_by!", s.condition AS "condition!", s.resume_policy,
       s.timeout_at AS "timeout_at: StoredTime", s.timeout_behavior AS "timeout_behavior!",
       s.escalated_at, octet_length(s.state) AS state_bytes, s.idempotency_key,
       s.created_at AS "created_at!", s.closed_at, s.close_reason, s.satisfiers,
       s.found AS "found!"
FROM (
    SELECT s.*, count(*) OVER () AS found,
           sum(s.bytes) OVER (ORDER BY s.seq) - s.bytes AS bytes_before
    FROM (
        SELECT s.*, octet_length(s.condition)
                    + 40 * coalesce(cardinality(s.satisfiers), 0) AS bytes
        FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = $2 AND s.seq > $3
        ORDER BY s.seq LIMIT $4
    ) AS s
) AS s
WHERE s.bytes_before <= $5
ORDER BY s.seq
