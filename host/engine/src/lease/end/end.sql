-- Ends leases of one partition: active → finished, waiting or parked.
--
-- Every way a lease ends but two runs through this statement, so that there is one
-- place where the fence is compared, the attempt recorded and the event written:
-- `suspension/suspend.sql` ends it with a suspension and its waitpoints, and
-- `execution/finish/finish.sql` ends the execution from outside.
--
-- $1 partition; then arrays, one element per lease, nullable where marked?
-- leases: $2 execution ids (sorted), $3 lease ids, $4 epochs, $5 attempts,
-- $6 guard: `held` (not expired), `expired`, `overdue` (attempt deadline passed) or
-- `any`, $7 how the attempt ended, $8 event
-- failures: $9 class?, $10 code?, $11 message?, $12 backtrace?
-- reports: $13 log?, $14 component?, $15 CPU ticks?, $16 peak memory (bytes)?, $17 host
-- calls?, $18 bytes out?, $19 wall time (µs)?
-- next states: $20 outcome?, if it finishes, $21 result?, $22 its media type?,
-- $23 source?, $24 state?, if it is parked, $25 reason?, and of two: $26 delay (ms)?, $27
-- time it is due?, $28 next attempt type, or null where this attempt resumes, $29 what
-- reclaims grow by
-- operations: $30 verb?, $31 actor?, $32 reason?
--
-- An execution that is not in the answer is as it was: the fence or the guard did not
-- hold. The epoch grows unless the holder asked for the end.
-- A member of a flow that ends is handed to its flow by a row of flow_due.
-- Locks: the lease rows.
WITH input AS (
    SELECT i.*, found.address
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[],
                $14::integer[], $15::integer[], $16::bigint[], $17::integer[], $18::bigint[],
                $19::bigint[], $20::text[], $21::bytea[], $22::text[], $23::text[], $24::text[],
                $25::text[], $26::bigint[], $27::timestamptz[], $28::text[], $29::integer[],
                $30::text[], $31::text[], $32::text[])
        AS i(execution_id, lease_id, epoch, attempt, guard, ended, event, failure_class,
             failure_code, failure_message, backtrace, log, component_id, cpu_ticks,
             memory_peak_bytes, host_calls, bytes_out, wall_us, outcome, result, result_type,
             source, state, reason, delay_ms, due, next_type, reclaims_add, verb, actor,
             operation_reason)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
),
from_lease AS (
    DELETE FROM lease l USING input i
    WHERE l.ctid = i.address AND l.lease_id = i.lease_id AND l.epoch = i.epoch
      AND l.attempt = i.attempt
      AND CASE i.guard
              WHEN 'held' THEN l.expires_at > clock_timestamp()
              WHEN 'expired' THEN l.expires_at <= clock_timestamp()
              WHEN 'overdue' THEN l.attempt_deadline_at <= clock_timestamp()
              ELSE i.guard = 'any'
          END
    RETURNING l.namespace, l.lane, l.class_id, l.flow_id, l.rank, l.worker_instance_id, l.attempt_type, l.acquired_at,
              l.renewals, l.epoch + (i.guard <> 'held')::integer AS new_epoch, l.attempt + 1 AS attempts,
              l.retries + (i.next_type IS NOT DISTINCT FROM 'retry')::integer AS retries,
              l.reclaims + i.reclaims_add AS reclaims, l.replays,
              -- An attempt that resumes stays what it was.
              coalesce(i.next_type::attempt_type, l.attempt_type) AS following,
              i.next_type IS NULL AS resumes,
              coalesce(i.due, clock_timestamp() + i.delay_ms * interval '1 millisecond') AS due_at,
              -- The time an attempt may run is shared by all its leases.
              CASE WHEN i.next_type IS NULL AND l.attempt_deadline_at IS NOT NULL
                   THEN greatest(0, ceil(1000 * extract(
                            epoch FROM l.attempt_deadline_at - clock_timestamp())))::bigint
              END AS left_ms,
              i.*
),
attempts AS (
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, released_at, ended, renewals,
                         component_id, failure_class, failure_code, failure_message, backtrace,
                         log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us, due_at,
                         left_ms)
    -- The delay that was asked for is what lies between `released_at` and `due_at`.
    SELECT $1, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
           acquired_at,
           coalesce(due_at - delay_ms * interval '1 millisecond', clock_timestamp()),
           ended::attempt_end, renewals, component_id, failure_class::failure_class,
           failure_code, failure_message, backtrace, log, cpu_ticks, memory_peak_bytes,
           host_calls, bytes_out, wall_us, due_at, left_ms
    FROM from_lease WHERE outcome IS NULL
),
ended AS (
    INSERT INTO finished (partition, execution_id, outcome, epoch, attempts, retries, reclaims,
                          replays, result, result_type, failure_class, failure_code,
                          failure_message, source, lease_id, lease_epoch, attempt_type,
                          worker_instance_id, acquired_at, ended, renewals, component_id,
                          backtrace, log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out,
                          wall_us)
    SELECT $1, execution_id, outcome::outcome, new_epoch, attempts, retries, reclaims, replays,
           result, result_type, failure_class::failure_class, failure_code, failure_message,
           source, lease_id, epoch, attempt_type, worker_instance_id, acquired_at,
           ended::attempt_end, renewals, component_id, backtrace, log, cpu_ticks,
           memory_peak_bytes, host_calls, bytes_out, wall_us
    FROM from_lease WHERE outcome IS NOT NULL
    RETURNING execution_id, outcome, epoch
),
due AS (
    INSERT INTO flow_due (partition, flow_id, execution_id, epoch)
    SELECT $1, flow_id, execution_id, new_epoch
    FROM from_lease WHERE outcome IS NOT NULL AND flow_id IS NOT NULL
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, l.execution_id, l.lane, l.namespace, l.rank, e.kind,
           string_to_array(e.required_capabilities, ','), l.new_epoch, l.attempts, l.retries,
           l.reclaims, l.replays, l.following, l.resumes
    FROM from_lease l
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = l.execution_id OFFSET 0
    ) AS e
    WHERE l.outcome IS NULL AND l.state IS NULL
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, state::parked_state, reason::blocking_reason, due_at, lane, rank,
           new_epoch, attempts, retries, reclaims, replays, following, resumes
    FROM from_lease WHERE state IS NOT NULL
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, epoch)
    SELECT $1, execution_id, verb, actor, operation_reason, new_epoch
    FROM from_lease WHERE actor IS NOT NULL
),
happened AS (
    SELECT event::event_kind AS kind, execution_id, class_id, namespace, new_epoch AS epoch,
           attempt, lease_id, worker_instance_id,
           -- How it was lost, if it was.
           CASE WHEN ended IN ('lease_expired', 'lease_revoked') THEN ended
                WHEN ended = 'expired' THEN 'attempt_timeout'
                WHEN guard <> 'held' THEN 'overridden'
           END AS detail
    FROM from_lease
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, array_agg(kind), array_agg(execution_id), array_agg(class_id),
           array_agg(CASE WHEN class_id IS NULL THEN namespace END), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(worker_instance_id),
           CASE WHEN count(detail) > 0 THEN array_agg(detail) END
    FROM happened
    HAVING count(*) > 0
)
SELECT execution_id AS "execution_id!", new_epoch AS "epoch!", due_at,
       CASE WHEN outcome IS NOT NULL THEN flow_id END AS flow_id
FROM from_lease
