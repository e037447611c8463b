-- Appends pieces to the logs of leases of one partition.
--
-- $1 partition
-- pieces: $2 execution ids (sorted), $3 lease ids, $4 epochs, $5 attempts, $6 bytes of the
-- log before, $7 texts
--
-- A piece whose lease is not in the answer was not appended; one that is there already is
-- left as it is.
-- Locks: the lease rows, for share of their keys.
WITH input AS (
    SELECT i.*, found.address
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::bigint[], $7::bytea[])
        AS i(execution_id, lease_id, epoch, attempt, at_byte, text)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
),
locked AS MATERIALIZED (
    SELECT i.* FROM input i JOIN lease l ON l.ctid = i.address
    WHERE l.lease_id = i.lease_id AND l.epoch = i.epoch AND l.attempt = i.attempt
      AND l.expires_at > clock_timestamp()
    ORDER BY i.execution_id
    FOR KEY SHARE OF l
),
pieces AS (
    INSERT INTO live_log (partition, execution_id, epoch, at_byte, text)
    SELECT $1, execution_id, epoch, at_byte, text FROM locked
    ON CONFLICT DO NOTHING
)
SELECT execution_id AS "execution_id!", lease_id AS "lease_id!", epoch AS "epoch!",
       attempt AS "attempt!"
FROM locked
