-- Makes finished executions of one partition ready again: finished → waiting, or waiting for
-- other members of their flow.
--
-- $1 partition
-- operation: $2 actor, $3 reason?, of the execution whose replay it is
-- flow: $4 id?, $5 version?; of its members that begin again: $6 how many had ended, $7 how many
--   of them badly
-- executions, sorted: $8 ids, $9 replays their policies allow, null where the replay is not
--   theirs but that of a member before them, $10 deadlines from now (ms)?, $11 whether they
--   wait for other members
-- edges that wait again: $12 upstream, $13 downstream, $14 waits
-- groups as they are from now on: $15 executions, $16 waits, $17 satisfied, $18 failed, $19
--   skipped, $20 whether they are decided again
--
-- All of it is written, or nothing: where an execution is not finished, was replayed as often
-- as its policy allows, or the flow is at another version. The next attempt is of type
-- `replay`, and failures and lost leases are counted from zero again. A relative deadline is
-- now relative to the replay; an absolute one that has passed no longer bounds it. The epoch
-- grows, so that no earlier holder can write.
-- Locks: the flow, the finished rows, then pending waitpoints, the executions and the timers.
WITH input AS MATERIALIZED (
    SELECT i.*
    FROM unnest($8::uuid[], $9::integer[], $10::bigint[], $11::boolean[])
        AS i(execution_id, replays_max, deadline_ms, waits)
),
locked AS MATERIALIZED (
    SELECT f.id FROM flow f
    WHERE f.partition = $1 AND f.id = $4 AND f.version = $5
    FOR NO KEY UPDATE
),
existing AS MATERIALIZED (
    SELECT i.*, f.address
    FROM input i
    CROSS JOIN LATERAL (
        SELECT f.ctid AS address FROM finished f
        WHERE f.partition = $1 AND f.execution_id = i.execution_id
          AND (i.replays_max IS NULL OR f.replays < i.replays_max)
          -- After the flow is locked.
          AND ($4::uuid IS NULL OR (SELECT count(*) FROM locked) > 0)
        FOR UPDATE
    ) AS f
),
applied AS MATERIALIZED (
    SELECT true AS whole
    WHERE (SELECT count(*) FROM existing) = cardinality($8::uuid[])
      AND ($4::uuid IS NULL OR (SELECT count(*) FROM locked) > 0)
),
from_finished AS (
    DELETE FROM finished f USING existing x, applied
    WHERE f.ctid = x.address
    RETURNING f.*, x.replays_max, x.deadline_ms, x.waits
),
moved AS (
    SELECT f.*, f.epoch + 1 AS new_epoch, e.lane,
           coalesce(e.changed_priority, e.priority) AS priority, e.kind, e.class_id, e.namespace,
           e.required_capabilities,
           CASE WHEN f.deadline_ms IS NOT NULL
                    THEN clock_timestamp() + f.deadline_ms * interval '1 millisecond'
                WHEN e.deadline_at > clock_timestamp() THEN e.deadline_at
           END AS ends_at
    FROM from_finished f
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = f.execution_id OFFSET 0
    ) AS e
),
touched AS (
    UPDATE flow f
    SET version = f.version + 1, ended_count = f.ended_count - $6::integer,
        bad_count = f.bad_count - $7::integer, ended_at = NULL, changed_at = clock_timestamp()
    FROM applied
    WHERE f.partition = $1 AND f.id = $4
),
members_updated AS (
    UPDATE flow_member m SET outcome = NULL
    FROM applied CROSS JOIN input i CROSS JOIN LATERAL (
        SELECT m.ctid AS address FROM flow_member m
        WHERE m.partition = $1 AND m.flow_id = $4 AND m.execution_id = i.execution_id OFFSET 0
    ) AS found
    WHERE m.ctid = found.address
),
edges_updated AS (
    UPDATE flow_edge e SET state = 'pending' FROM applied
    CROSS JOIN unnest($12::uuid[], $13::uuid[], $14::integer[]) AS i(upstream, downstream, wait)
    CROSS JOIN LATERAL (
        SELECT e.ctid AS address FROM flow_edge e
        WHERE e.partition = $1 AND e.upstream BETWEEN i.upstream AND i.upstream
          AND e.downstream = i.downstream AND e.wait = i.wait
        ORDER BY e.upstream, e.downstream, e.wait LIMIT 1
    ) AS found
    WHERE e.ctid = found.address
),
groups_updated AS (
    UPDATE flow_group g
    SET satisfied = i.satisfied, failed = i.failed, skipped = i.skipped,
        state = CASE WHEN i.open THEN 'pending' ELSE g.state END,
        decided_at = CASE WHEN i.open THEN NULL ELSE g.decided_at END FROM applied
    CROSS JOIN unnest($15::uuid[], $16::integer[], $17::integer[], $18::integer[],
                      $19::integer[], $20::boolean[])
        AS i(execution_id, wait, satisfied, failed, skipped, open)
    CROSS JOIN LATERAL (
        SELECT g.ctid AS address FROM flow_group g
        WHERE g.partition = $1 AND g.execution_id = i.execution_id AND g.wait = i.wait OFFSET 0
    ) AS found
    WHERE g.ctid = found.address
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
           string_to_array(required_capabilities, ','), new_epoch, attempts, 0, 0,
           replays + 1, 'replay', false
    FROM moved WHERE NOT waits
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, lane, rank, epoch, attempts,
                        retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, 'waiting_children', 'waiting_for_children', lane,
           (9000 - priority)::smallint, new_epoch, attempts, 0, 0,
           replays + 1, 'replay', false
    FROM moved WHERE waits
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
    CROSS JOIN LATERAL (
        SELECT e.ctid AS address FROM execution e
        WHERE e.partition = $1 AND e.id = m.execution_id OFFSET 0
    ) AS found
    WHERE e.ctid = found.address AND received.seq IS NOT NULL
),
timers_removed AS (
    DELETE FROM timer t
    USING moved m CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM timer t
        WHERE t.partition = $1 AND t.execution_id = m.execution_id
          AND t.kind = 'execution_deadline' OFFSET 0
    ) AS found
    WHERE t.ctid = found.address AND m.ends_at IS NULL
),
timers AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, execution_id, 'execution_deadline', ends_at FROM moved WHERE ends_at IS NOT NULL
    ON CONFLICT (partition, execution_id, kind) DO UPDATE SET due_at = excluded.due_at
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'replay', $2, $3::text,
           concat_ws(': ', outcome, failure_code), new_epoch
    FROM moved WHERE replays_max IS NOT NULL
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
SELECT new_epoch AS "epoch!", replays + 1 AS "replays!" FROM moved WHERE replays_max IS NOT NULL
