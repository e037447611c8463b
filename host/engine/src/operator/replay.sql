-- Makes a finished execution ready again: finished → waiting.
--
-- $1 partition, $2 execution id, $3 replays the policy allows, $4 deadline from now (ms)?
-- operation: $5 actor, $6 reason?
--
-- The next attempt is of type `replay`, and failures and lost leases are counted from
-- zero again. A deadline that was relative to the creation is now relative to the
-- replay; an absolute one that has passed no longer bounds it. The epoch grows, so that
-- no earlier holder can write any more.
-- Locks: the finished row, then pending waitpoints, the execution and the timer.
WITH from_finished AS (
    DELETE FROM finished
    WHERE partition = $1 AND execution_id = $2 AND replays < $3
    RETURNING *
),
moved AS (
    SELECT f.*, f.epoch + 1 AS new_epoch, e.lane,
           coalesce(e.changed_priority, e.priority) AS priority, e.kind, e.class_id, e.namespace,
           e.required_capabilities,
           CASE WHEN $4::bigint IS NOT NULL
                    THEN clock_timestamp() + $4::bigint * interval '1 millisecond'
                WHEN e.deadline_at > clock_timestamp() THEN e.deadline_at
           END AS ends_at
    FROM from_finished f JOIN execution e ON e.partition = $1 AND e.id = f.execution_id
),
attempts AS (
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, released_at, ended, renewals,
                         component_id, failure_class, failure_code, failure_message, backtrace,
                         log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us,
                         result_digest)
    SELECT $1, execution_id, lease_epoch, attempts - 1, attempt_type, lease_id,
           worker_instance_id, acquired_at, finished_at, ended, renewals, component_id,
           failure_class, failure_code, failure_message, backtrace, log, cpu_ticks,
           memory_peak_bytes, host_calls, bytes_out, wall_us,
           CASE WHEN result IS NOT NULL
                THEN sha256(convert_to(result_type, 'UTF8') || '\x00'::bytea || result) END
    FROM moved WHERE lease_id IS NOT NULL
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, namespace, lane, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, namespace, lane, (9000 - priority)::smallint, kind,
           string_to_array(required_capabilities, ','), new_epoch, attempts, 0, 0, replays + 1,
           'replay', false
    FROM moved
),
waitpoints_closed AS (
    -- What was made before the replay is not for the attempts after it.
    UPDATE waitpoint w
    SET state = 'closed', close_reason = 'never_committed', closed_at = clock_timestamp()
    FROM moved m
    CROSS JOIN LATERAL (
        SELECT w.ctid AS address FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = m.execution_id AND w.state = 'pending'
        OFFSET 0
    ) AS found
    WHERE w.ctid = found.address
),
executions_recounted AS (
    -- Signals from before the replay do not count against the bound after it.
    UPDATE execution e SET last_signal_before = received.seq
    FROM moved m
    CROSS JOIN LATERAL (
        SELECT max(g.seq) AS seq FROM signal g
        WHERE g.partition = $1 AND g.execution_id = m.execution_id
    ) AS received
    WHERE e.partition = $1 AND e.id = m.execution_id AND received.seq IS NOT NULL
),
timers_removed AS (
    DELETE FROM timer
    WHERE partition = $1 AND kind = 'execution_deadline'
      AND execution_id IN (SELECT execution_id FROM moved WHERE ends_at IS NULL)
),
timers AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, execution_id, 'execution_deadline', ends_at FROM moved WHERE ends_at IS NOT NULL
    ON CONFLICT (partition, execution_id, kind) DO UPDATE SET due_at = excluded.due_at
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'replay', $5, $6::text,
           concat_ws(': ', outcome, failure_code), new_epoch
    FROM moved
),
happened AS (
    SELECT 'replayed'::event_kind AS kind, execution_id, class_id, namespace,
           new_epoch AS epoch, NULL::integer AS attempt, NULL::uuid AS lease_id,
           NULL::text AS worker_instance_id, outcome::text AS detail
    FROM moved
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
SELECT new_epoch AS "epoch!", replays + 1 AS "replays!", lane FROM moved
