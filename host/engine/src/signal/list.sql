-- Reads signals of an execution, in the order they were accepted.
--
-- $1 partition, $2 execution id
-- page: $3 after the signal of this number, $4 at most so many rows, $5 most bytes of
--   payloads before the last of them
--
-- `found` counts the signals after that place, up to $4.
-- Walks the primary key of signal, and looks up one row of waitpoint for each. Locks
-- nothing.
SELECT g.seq AS "seq!", g.id AS "id!", g.waitpoint_id AS "waitpoint_id!",
       t.key AS "waitpoint_key!", g.name AS "name!", g.category, g.source_type AS "source_type!",
       g.source_identity AS "source_identity!", g.correlation_id, g.payload, g.payload_type,
       g.accepted_at AS "accepted_at!: StoredTime", g.effect AS "effect!",
       g.idempotency_key, g.token_kid, g.found AS "found!"
FROM (
    SELECT g.*, count(*) OVER () AS found,
           sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
               - coalesce(octet_length(g.payload), 0) AS bytes_before
    FROM (
        SELECT g.* FROM signal g
        WHERE g.partition = $1 AND g.execution_id = $2 AND g.seq > $3
        ORDER BY g.seq LIMIT $4
    ) AS g
) AS g
CROSS JOIN LATERAL (
    SELECT t.key FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = $2 AND t.id = g.waitpoint_id OFFSET 0
) AS t
WHERE g.bytes_before <= $5
ORDER BY g.seq
