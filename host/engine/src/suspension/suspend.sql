-- Begins suspensions in one partition: active → suspended.
--
-- The other way a lease ends is `lease/end/end.sql`; this one writes the
-- suspension and its waitpoints as well.
--
-- $1 partition; then arrays, one element per lease: $2 execution ids (sorted),
-- $3 lease ids, $4 epochs, $5 attempts, $6 how many pending waitpoints are bound,
-- $7 suspension ids, $8 reason,
-- $9 reason to show, $10 requester, $11 condition, $12 resume policy?, $13 timeout
-- (ms)?, $14 timeout?, $15 timeout behaviour, $16 state?, $17 its media type?,
-- $18 idempotency key?, $19 log?, $20 component?, $21 CPU ticks?, $22 peak memory?,
-- $23 host calls?, $24 bytes out?, $25 wall time (µs)?.
-- Pending waitpoints bound: $26 execution ids, $27 ids, $28 signals they had when it
-- was decided that those do not satisfy the condition.
-- New waitpoints: $29 execution ids, $30 ids, $31 keys, $32 kids, $33 fingerprints.
-- $34, for each lease again, whether it was decided as if no waitpoint were open.
--
-- An execution that is not in the answer was not suspended. What is new here is not
-- open already: that shows in `taken`, or whoever makes it at this moment writes the
-- lease row anew.
-- Locks: pending waitpoints, then the lease rows.
WITH wanted AS (
    SELECT w.*, held.address, held.version
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::integer[], $7::uuid[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
                $14::timestamptz[], $15::text[], $16::bytea[], $17::text[], $18::text[],
                $19::bytea[], $20::integer[], $21::integer[], $22::bigint[], $23::integer[],
                $24::bigint[], $25::bigint[], $34::boolean[])
        AS w(execution_id, lease_id, epoch, attempt, bound, suspension_id, reason,
             shown_reason, requested_by, condition, resume_policy, timeout_ms, timeout_at,
             timeout_behavior, state, state_type, idempotency_key, log, component_id, cpu_ticks,
             memory_peak_bytes, host_calls, bytes_out, wall_us, alone)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address, l.xmin AS version FROM lease l
        WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
    ) AS held
),
bound AS MATERIALIZED (
    SELECT b.execution_id, t.address
    FROM unnest($26::uuid[], $27::uuid[], $28::integer[]) AS b(execution_id, id, signals)
    CROSS JOIN LATERAL (
        SELECT t.ctid AS address, t.state, t.signals FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = b.execution_id AND t.id = b.id
        OFFSET 0 FOR UPDATE
    ) AS t
    WHERE t.state = 'pending' AND t.signals = b.signals
),
taken AS (
    SELECT n.execution_id
    FROM unnest($29::uuid[], $31::text[]) AS n(execution_id, key)
    CROSS JOIN LATERAL (
        SELECT FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = n.execution_id AND t.key = n.key
          AND t.state IN ('pending', 'active')
        OFFSET 0
    ) AS t
    UNION ALL
    SELECT w.execution_id
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = w.execution_id
          AND t.state IN ('pending', 'active')
        LIMIT 1
    ) AS t
    WHERE w.alone
),
released AS (
    DELETE FROM lease l USING wanted w
    WHERE l.ctid = w.address AND l.xmin = w.version AND l.lease_id = w.lease_id
      AND l.epoch = w.epoch AND l.attempt = w.attempt AND l.expires_at > clock_timestamp()
      AND w.bound = (SELECT count(*) FROM bound b WHERE b.execution_id = w.execution_id)
      AND w.execution_id NOT IN (SELECT execution_id FROM taken)
    RETURNING l.namespace, l.lane, l.rank, l.worker_instance_id, l.attempt_type, l.acquired_at,
              l.renewals, l.retries, l.reclaims, l.replays,
              coalesce(w.timeout_at,
                       clock_timestamp() + w.timeout_ms * interval '1 millisecond') AS times_out_at,
              CASE WHEN l.attempt_deadline_at IS NOT NULL
                   THEN greatest(0, ceil(1000 * extract(
                            epoch FROM l.attempt_deadline_at - clock_timestamp())))::bigint
              END AS left_ms,
              w.*
),
recorded AS (
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, ended, renewals, component_id, log,
                         cpu_ticks, memory_peak_bytes, host_calls, bytes_out, wall_us, left_ms)
    SELECT $1, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
           acquired_at, 'suspended', renewals, component_id, log, cpu_ticks, memory_peak_bytes,
           host_calls, bytes_out, wall_us, left_ms
    FROM released
),
put_down AS (
    INSERT INTO parked (partition, execution_id, state, reason, reason_detail, wake_at, lane,
                        rank, epoch, attempts, retries, reclaims, replays, next_type, resumes,
                        suspension_id)
    SELECT $1, execution_id, 'suspended', shown_reason::blocking_reason, reason, times_out_at,
           lane, rank, epoch, attempt + 1, retries, reclaims, replays, attempt_type, true,
           suspension_id
    FROM released
),
begun AS (
    INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays, reason,
                            requested_by, condition, resume_policy, timeout_at,
                            timeout_behavior, state, state_type, idempotency_key, at_once)
    SELECT $1, execution_id, suspension_id, epoch, attempt, replays, reason, requested_by,
           condition, resume_policy, times_out_at, timeout_behavior, state, state_type,
           idempotency_key, false
    FROM released
),
opened AS (
    INSERT INTO waitpoint (partition, execution_id, id, key, state, suspension_id, token_kid,
                           token_fingerprint, activated_at)
    SELECT $1, n.execution_id, n.id, n.key, 'active', r.suspension_id, n.kid, n.fingerprint,
           clock_timestamp()
    FROM released r
    JOIN unnest($29::uuid[], $30::uuid[], $31::text[], $32::text[], $33::text[])
        AS n(execution_id, id, key, kid, fingerprint) ON n.execution_id = r.execution_id
),
activated AS (
    UPDATE waitpoint t
    SET state = 'active', suspension_id = r.suspension_id, activated_at = clock_timestamp(),
        expires_at = NULL
    FROM released r JOIN bound b ON b.execution_id = r.execution_id
    WHERE t.ctid = b.address
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers)
    SELECT $1, array_agg('suspended'::event_kind), array_agg(execution_id),
           array_agg(namespace), array_agg(epoch), array_agg(attempt), array_agg(lease_id),
           array_agg(worker_instance_id)
    FROM released HAVING count(*) > 0
)
SELECT execution_id AS "execution_id!", times_out_at FROM released
