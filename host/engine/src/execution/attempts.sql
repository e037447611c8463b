-- Reads the leases an execution ran under, oldest first, the held one included.
--
-- $1 partition, $2 execution id. Reads the primary keys of attempt, finished and lease.
SELECT epoch AS "epoch!", attempt AS "attempt!", attempt_type AS "attempt_type!",
       lease_id AS "lease_id!", worker_instance_id AS "worker_instance_id!",
       acquired_at AS "acquired_at!: StoredTime", released_at AS "released_at: StoredTime", ended,
       renewals AS "renewals!", digest, failure_class, failure_code, failure_message, backtrace,
       log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us
FROM (
    SELECT a.epoch, a.attempt, a.attempt_type::text, a.lease_id, a.worker_instance_id,
           a.acquired_at, a.released_at, a.ended::text, a.renewals, c.digest,
           a.failure_class::text, a.failure_code, a.failure_message, a.backtrace, a.log,
           a.cpu_ticks, a.memory_peak_bytes, a.host_calls, a.bytes_out, a.wall_us
    FROM ended_lease a LEFT JOIN component c ON c.id = a.component_id
    WHERE a.partition = $1 AND a.execution_id = $2
    UNION ALL
    SELECT l.epoch, l.attempt, l.attempt_type::text, l.lease_id, l.worker_instance_id,
           l.acquired_at, NULL, NULL, l.renewals, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL, NULL
    FROM lease l
    WHERE l.partition = $1 AND l.execution_id = $2
) AS held
ORDER BY epoch
