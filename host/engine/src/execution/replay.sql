-- Makes a finished execution ready again: finished → waiting.
--
-- $1 partition, $2 execution id, $3 most replays, $4 deadline from now (ms)?, $5
-- who asks, $6 why?.
--
-- The next attempt is of type `replay` and counts its failures and lost leases
-- anew. A deadline that was relative to the creation is now relative to the
-- replay; an absolute one that has passed bounds it no more. The epoch grows, so
-- that whoever held the execution before can write no more.
-- Locks: the finished row, then pending waitpoints, the execution and the timer.
WITH taken AS (
    DELETE FROM finished
    WHERE partition = $1 AND execution_id = $2 AND replays < $3
    RETURNING *
),
known AS (
    SELECT t.*, t.epoch + 1 AS new_epoch, e.lane,
           coalesce(e.changed_priority, e.priority) AS priority, e.kind, e.namespace,
           e.required_capabilities,
           CASE WHEN $4::bigint IS NOT NULL
                    THEN clock_timestamp() + $4::bigint * interval '1 millisecond'
                WHEN e.deadline_at > clock_timestamp() THEN e.deadline_at
           END AS ends_at
    FROM taken t JOIN execution e ON e.partition = $1 AND e.id = t.execution_id
),
recorded AS (
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
    FROM known WHERE lease_id IS NOT NULL
),
queued AS (
    INSERT INTO ready (partition, execution_id, namespace, lane, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, namespace, lane, (9000 - priority)::smallint, kind,
           string_to_array(required_capabilities, ','), new_epoch, attempts, 0, 0, replays + 1,
           'replay', false
    FROM known
),
forgotten AS (
    -- What was made for the life before is not for this one.
    UPDATE waitpoint t
    SET state = 'closed', close_reason = 'never_committed', closed_at = clock_timestamp()
    FROM known k
    CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = k.execution_id AND t.state = 'pending'
        OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
),
counted AS (
    -- Signals of the lives before do not count against the bound of this one.
    UPDATE execution e SET last_signal_before = heard.seq
    FROM known k
    CROSS JOIN LATERAL (
        SELECT max(g.seq) AS seq FROM signal g
        WHERE g.partition = $1 AND g.execution_id = k.execution_id
    ) AS heard
    WHERE e.partition = $1 AND e.id = k.execution_id AND heard.seq IS NOT NULL
),
disarmed AS (
    DELETE FROM timer
    WHERE partition = $1 AND kind = 'execution_deadline'
      AND execution_id IN (SELECT execution_id FROM known WHERE ends_at IS NULL)
),
armed AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, execution_id, 'execution_deadline', ends_at FROM known WHERE ends_at IS NOT NULL
    ON CONFLICT (partition, execution_id, kind) DO UPDATE SET due_at = excluded.due_at
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'replay', $5, $6::text,
           concat_ws(': ', outcome, failure_code), new_epoch
    FROM known
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, ARRAY['replayed'::event_kind], ARRAY[execution_id], ARRAY[namespace],
           ARRAY[new_epoch]
    FROM known
)
SELECT new_epoch AS "epoch!", replays + 1 AS "replays!", lane FROM known
