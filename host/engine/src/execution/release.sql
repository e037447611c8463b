-- Ends leases of one partition: active → finished, waiting or parked.
--
-- Every way a lease ends but two runs through this statement, so that there is one
-- place where the fence is compared, the attempt recorded and the event written:
-- `suspension/suspend.sql` puts an execution down with its waitpoints, and `finish.sql`
-- ends it from outside.
--
-- $1 partition; then arrays, one element per lease, nullable where marked?:
-- $2 execution ids (sorted), $3 lease ids, $4 epochs, $5 attempts,
-- $6 condition: `held` (not lapsed), `lapsed`, `overdue` (attempt deadline
--    passed) or `any`,
-- $7 how the attempt ended, $8 where the execution goes: `finished`, `ready` or
--    `parked`, $9 what the epoch grows by (0 or 1), $10 outcome?, $11 result?,
-- $12 its media type?, $13 failure class?, $14 code?, $15 message?,
-- $16 backtrace?, $17 log?, $18 source?, $19 state to park in?, $20 reason?,
-- $21 delay (ms)?, $22 wake time?, $23 next attempt type, $24 whether it
--    resumes, $25 what retries grow by, $26 what reclaims grow by,
-- $27 component?, $28 CPU ticks?, $29 peak memory?, $30 host calls?, $31 bytes
--    out?, $32 wall time (µs)?, $33 event; and for what an operator asked:
-- $34 verb?, $35 actor?, $36 reason?.
--
-- An execution that is not in the answer was not released: the fence or the
-- condition did not hold.
-- Locks: the lease rows.
WITH wanted AS (
    SELECT w.*, held.address
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::text[],
                         $7::text[], $8::text[], $9::integer[], $10::text[], $11::bytea[],
                         $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                         $17::bytea[], $18::text[], $19::text[], $20::text[], $21::bigint[],
                         $22::timestamptz[], $23::text[], $24::boolean[], $25::integer[],
                         $26::integer[], $27::integer[], $28::integer[], $29::bigint[],
                         $30::integer[], $31::bigint[], $32::bigint[], $33::text[],
                         $34::text[], $35::text[], $36::text[])
        AS w(execution_id, lease_id, epoch, attempt, condition, ended, goes, bump, outcome,
             result, result_type, failure_class, failure_code, failure_message, backtrace, log,
             source, state, reason, delay_ms, wake_at, next_type, resumes, retries_add,
             reclaims_add, component_id, cpu_ticks, memory_peak_bytes, host_calls, bytes_out,
             wall_us, event, verb, actor, why)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
    ) AS held
),
released AS (
    DELETE FROM lease l USING wanted w
    WHERE l.ctid = w.address AND l.lease_id = w.lease_id AND l.epoch = w.epoch AND l.attempt = w.attempt
      AND CASE w.condition
              WHEN 'held' THEN l.expires_at > clock_timestamp()
              WHEN 'lapsed' THEN l.expires_at <= clock_timestamp()
              WHEN 'overdue' THEN l.attempt_deadline_at <= clock_timestamp()
              ELSE w.condition = 'any'
          END
    RETURNING l.namespace, l.lane, l.rank, l.worker_instance_id, l.attempt_type, l.acquired_at,
              l.renewals, l.epoch + w.bump AS new_epoch, l.attempt + 1 AS attempts,
              l.retries + w.retries_add AS retries, l.reclaims + w.reclaims_add AS reclaims,
              l.replays,
              -- An attempt that is put down goes on as what it was.
              CASE WHEN w.resumes THEN l.attempt_type ELSE w.next_type::attempt_type END
                  AS following,
              coalesce(w.wake_at,
                       clock_timestamp() + w.delay_ms * interval '1 millisecond') AS due_at,
              -- The time of an attempt is spent under all its leases together.
              CASE WHEN w.resumes AND l.attempt_deadline_at IS NOT NULL
                   THEN greatest(0, ceil(1000 * extract(
                            epoch FROM l.attempt_deadline_at - clock_timestamp())))::bigint
              END AS left_ms,
              w.*
),
recorded AS (
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
    FROM released WHERE goes <> 'finished'
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
    FROM released WHERE goes = 'finished'
),
requeued AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, r.execution_id, r.lane, r.namespace, r.rank, e.kind,
           string_to_array(e.required_capabilities, ','), r.new_epoch, r.attempts, r.retries,
           r.reclaims, r.replays, r.following, r.resumes
    FROM released r
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = r.execution_id OFFSET 0
    ) AS e
    WHERE r.goes = 'ready'
),
put_down AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, state::parked_state, reason::blocking_reason, due_at, lane, rank,
           new_epoch, attempts, retries, reclaims, replays, following, resumes
    FROM released WHERE goes = 'parked'
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, epoch)
    SELECT $1, execution_id, verb, actor, why, new_epoch FROM released WHERE actor IS NOT NULL
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers)
    SELECT $1, array_agg(event::event_kind), array_agg(execution_id), array_agg(namespace),
           array_agg(new_epoch), array_agg(attempt), array_agg(lease_id),
           array_agg(worker_instance_id)
    FROM released HAVING count(*) > 0
)
SELECT execution_id AS "execution_id!", new_epoch AS "epoch!", due_at FROM released
