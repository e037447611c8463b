-- Reads leases that an execution ran under, oldest first, the held one included.
--
-- $1 partition, $2 execution id
-- page: $3 after the lease of this epoch, $4 at most so many leases, $5 most bytes of logs
--   and failures before the last of them
--
-- `found` counts the leases after that place, up to $4.
-- Walks the primary key of attempt, and looks up one row of finished and of lease.
-- Locks nothing.
SELECT h.epoch AS "epoch!", h.attempt AS "attempt!", h.attempt_type AS "attempt_type!",
       h.lease_id AS "lease_id!", h.worker_instance_id AS "worker_instance_id!",
       h.acquired_at AS "acquired_at!: StoredTime",
       h.released_at AS "released_at: StoredTime", h.ended, h.renewals AS "renewals!",
       c.digest AS "digest?", h.failure_class, h.failure_code, h.failure_message,
       h.backtrace, h.log, h.cpu_ticks, h.memory_peak_bytes, h.host_calls, h.bytes_out,
       h.wall_us, h.found AS "found!"
FROM (
    SELECT h.*, count(*) OVER () AS found,
           sum(h.bytes) OVER (ORDER BY h.epoch) - h.bytes AS bytes_before
    FROM (
        SELECT h.*, coalesce(octet_length(h.log), 0) + coalesce(octet_length(h.backtrace), 0)
                    + coalesce(octet_length(h.failure_message), 0) AS bytes
        FROM (
            (SELECT a.epoch, a.attempt, a.attempt_type::text, a.lease_id, a.worker_instance_id,
                    a.acquired_at, a.released_at, a.ended::text, a.renewals, a.component_id,
                    a.failure_class::text, a.failure_code, a.failure_message, a.backtrace, a.log,
                    a.cpu_ticks, a.memory_peak_bytes, a.host_calls, a.bytes_out, a.wall_us
             FROM attempt a
             WHERE a.partition = $1 AND a.execution_id = $2 AND a.epoch > $3
             ORDER BY a.epoch LIMIT $4)
            UNION ALL
            SELECT f.lease_epoch, f.attempts - 1, f.attempt_type::text, f.lease_id,
                   f.worker_instance_id, f.acquired_at, f.finished_at, f.ended::text, f.renewals,
                   f.component_id, f.failure_class::text, f.failure_code, f.failure_message,
                   f.backtrace, f.log, f.cpu_ticks, f.memory_peak_bytes, f.host_calls,
                   f.bytes_out, f.wall_us
            FROM finished f
            WHERE f.partition = $1 AND f.execution_id = $2 AND f.lease_epoch > $3
            UNION ALL
            SELECT l.epoch, l.attempt, l.attempt_type::text, l.lease_id, l.worker_instance_id,
                   l.acquired_at, NULL, NULL, l.renewals, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                   NULL, NULL, NULL, NULL
            FROM lease l
            WHERE l.partition = $1 AND l.execution_id = $2 AND l.epoch > $3
            ORDER BY epoch LIMIT $4
        ) AS h
    ) AS h
) AS h
LEFT JOIN component c ON c.id = h.component_id
WHERE h.bytes_before <= $5
ORDER BY h.epoch
