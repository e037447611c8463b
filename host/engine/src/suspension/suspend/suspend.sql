-- Suspends executions of one partition: active → suspended.
--
-- Other leases end in `lease/end/end.sql`; this statement writes the suspension and its
-- waitpoints as well.
--
-- $1 partition; then arrays, nullable where marked?:
-- leases: $2 execution ids (sorted), $3 ids, $4 epochs, $5 attempts;
-- their suspensions: $6 ids, $7 reason, $8 the same as a blocking reason, $9 requester,
--   $10 condition, $11 resume policy?, $12 timeout (ms from now)?, $13 timeout?, $14
--   timeout behavior, $15 state?, $16 its media type?, $17 idempotency key?, $18 whether
--   it was decided on the assumption that no waitpoint is open;
-- their attempts: $19 log?, $20 component?, $21 CPU ticks?, $22 peak memory (bytes)?, $23
--   host calls?, $24 bytes out?, $25 wall time (µs)?;
-- waitpoints: $26 execution ids, $27 ids, $28 how many signals a pending one had when it
--   was decided that those do not satisfy the condition (absent for a new one), $29 keys,
--   $30 key ids of their tokens, $31 fingerprints of these.
--
-- An execution that is not in the answer was not suspended. A new waitpoint is not open
-- already: that shows in `existing`, or the caller who creates it at this moment writes
-- the lease row, whose version is compared.
-- Locks: pending waitpoints, then the lease rows.
WITH input AS (
    SELECT i.*, found.address, found.version
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[],
                $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                $12::bigint[], $13::timestamptz[], $14::text[], $15::bytea[], $16::text[],
                $17::text[], $18::boolean[],
                $19::bytea[], $20::integer[], $21::integer[], $22::bigint[], $23::integer[],
                $24::bigint[], $25::bigint[])
        AS i(execution_id, lease_id, epoch, attempt,
             suspension_id, reason, blocking_reason, requested_by, condition, resume_policy,
             timeout_ms, timeout_at, timeout_behavior, state, state_type, idempotency_key,
             assumes_no_open_waitpoint,
             log, component_id, cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address, l.xmin AS version FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
),
pending AS MATERIALIZED (
    SELECT i.* FROM unnest($26::uuid[], $27::uuid[], $28::integer[]) AS i(execution_id, id, signals)
    WHERE i.signals IS NOT NULL
),
waitpoints_locked AS MATERIALIZED (
    SELECT i.execution_id, w.address
    FROM pending i
    CROSS JOIN LATERAL (
        SELECT w.ctid AS address, w.state, w.signals FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = i.execution_id AND w.id = i.id
        OFFSET 0 FOR UPDATE
    ) AS w
    WHERE w.state = 'pending' AND w.signals = i.signals
),
existing AS (
    SELECT i.execution_id
    FROM unnest($26::uuid[], $28::integer[], $29::text[]) AS i(execution_id, signals, key)
    CROSS JOIN LATERAL (
        SELECT FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = i.execution_id AND w.key = i.key
          AND w.state IN ('pending', 'active')
        OFFSET 0
    ) AS w
    WHERE i.signals IS NULL
    UNION ALL
    SELECT i.execution_id
    FROM input i
    CROSS JOIN LATERAL (
        SELECT FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = i.execution_id
          AND w.state IN ('pending', 'active')
        LIMIT 1
    ) AS w
    WHERE i.assumes_no_open_waitpoint
),
from_lease AS (
    DELETE FROM lease l USING input i
    WHERE l.ctid = i.address AND l.xmin = i.version AND l.lease_id = i.lease_id
      AND l.epoch = i.epoch AND l.attempt = i.attempt AND l.expires_at > clock_timestamp()
      AND (SELECT count(*) FROM pending q WHERE q.execution_id = i.execution_id)
          = (SELECT count(*) FROM waitpoints_locked q WHERE q.execution_id = i.execution_id)
      AND i.execution_id NOT IN (SELECT execution_id FROM existing)
    RETURNING l.namespace, l.lane, l.class_id, l.rank, l.worker_instance_id, l.attempt_type, l.acquired_at,
              l.renewals, l.retries, l.reclaims, l.replays,
              coalesce(i.timeout_at,
                       clock_timestamp() + i.timeout_ms * interval '1 millisecond') AS wake_at,
              CASE WHEN l.attempt_deadline_at IS NOT NULL
                   THEN greatest(0, ceil(1000 * extract(
                            epoch FROM l.attempt_deadline_at - clock_timestamp())))::bigint
              END AS left_ms,
              i.*
),
attempts AS (
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, ended, renewals, component_id, log,
                         cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us, left_ms)
    SELECT $1, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
           acquired_at, 'suspended', renewals, component_id, log, cpu_ticks, memory_peak_bytes,
           host_calls, bytes_out, wall_us, left_ms
    FROM from_lease
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, reason_detail, wake_at, lane,
                        rank, epoch, attempts, retries, reclaims, replays, next_type, resumes,
                        suspension_id)
    SELECT $1, execution_id, 'suspended', blocking_reason::blocking_reason, reason, wake_at,
           lane, rank, epoch, attempt + 1, retries, reclaims, replays, attempt_type, true,
           suspension_id
    FROM from_lease
),
suspensions AS (
    INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays, reason,
                            requested_by, condition, resume_policy, timeout_at,
                            timeout_behavior, state, state_type, idempotency_key, at_once)
    SELECT $1, execution_id, suspension_id, epoch, attempt, replays, reason, requested_by,
           condition, resume_policy, wake_at, timeout_behavior, state, state_type,
           idempotency_key, false
    FROM from_lease
),
waitpoints AS (
    INSERT INTO waitpoint (partition, execution_id, id, key, state, suspension_id, token_kid,
                           token_fingerprint, activated_at)
    SELECT $1, i.execution_id, i.id, i.key, 'active', m.suspension_id, i.kid, i.fingerprint,
           clock_timestamp()
    FROM from_lease m
    JOIN unnest($26::uuid[], $27::uuid[], $28::integer[], $29::text[], $30::text[], $31::text[])
        AS i(execution_id, id, signals, key, kid, fingerprint)
        ON i.execution_id = m.execution_id AND i.signals IS NULL
),
waitpoints_activated AS (
    UPDATE waitpoint w
    SET state = 'active', suspension_id = m.suspension_id, activated_at = clock_timestamp(),
        expires_at = NULL
    FROM from_lease m JOIN waitpoints_locked q ON q.execution_id = m.execution_id
    WHERE w.ctid = q.address
),
happened AS (
    SELECT 'suspended'::event_kind AS kind, execution_id, class_id, namespace, epoch, attempt,
           lease_id, worker_instance_id, NULL::text AS detail
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
SELECT execution_id AS "execution_id!", wake_at AS timeout_at FROM from_lease
