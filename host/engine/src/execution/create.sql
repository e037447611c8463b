-- Creates a batch of executions of one partition: nothing → waiting, delayed or,
-- handed to a worker that stands by, active.
--
-- $1 partition; then arrays, one element per execution, nullable where marked?:
-- $2 ids, $3 namespaces, $4 lanes, $5 kinds, $6 priorities, $7 flow ids?,
-- $8 creators?, $9 idempotency keys?, $10 request digests?, $11 dedup windows
-- (ms), $12 trace parents?, $13 required capabilities (comma separated)?,
-- $14 inputs, $15 media types, $16 policies (JSON)?, $17 attempt timeouts (ms)?,
-- $18 reclaim caps, $19 delays (ms)?, $20 due times?, $21 deadlines (ms)?,
-- $22 deadlines?, $23 workers that take them at once?, $24 the life of their
-- leases (ms)?, $25 retentions of their own (ms)?; and the labels of them all:
-- $26 ids, $27 keys, $28 values.
--
-- Keys must be distinct within the batch and sorted, so that batches that meet
-- on keys lock them in one order. An id that is not in the answer was not
-- created: its key is taken, or it exists already.
-- Locks: idempotency rows, then the new rows.
WITH wanted AS (
    SELECT w.*,
           coalesce(w.due_at, clock_timestamp() + w.delay_ms * interval '1 millisecond') AS starts_at,
           least(w.deadline_at, clock_timestamp() + w.deadline_ms * interval '1 millisecond') AS ends_at
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::uuid[],
                $8::text[], $9::text[], $10::bytea[], $11::bigint[], $12::text[], $13::text[],
                $14::bytea[], $15::text[], $16::text[], $17::bigint[], $18::integer[],
                $19::bigint[], $20::timestamptz[], $21::bigint[], $22::timestamptz[],
                $23::text[], $24::integer[], $25::bigint[])
        AS w(id, namespace, lane, kind, priority, flow_id, creator, key, request_digest,
             dedup_ms, traceparent, required_capabilities, input, input_type, policy,
             attempt_timeout_ms, max_reclaims, delay_ms, due_at, deadline_ms, deadline_at,
             taker, lease_ms, retention_ms)
),
keyed AS (
    INSERT INTO idempotency (partition, namespace, key, execution_id, request_digest, expires_at)
    SELECT $1, namespace, key, id, request_digest,
           clock_timestamp() + dedup_ms * interval '1 millisecond'
    FROM wanted WHERE key IS NOT NULL
    ON CONFLICT (partition, namespace, key) DO UPDATE
        SET execution_id = excluded.execution_id,
            request_digest = excluded.request_digest,
            expires_at = excluded.expires_at
        WHERE idempotency.expires_at <= clock_timestamp()
    RETURNING execution_id
),
created AS (
    INSERT INTO execution (partition, id, namespace, lane, kind, priority, flow_id, creator,
                           idempotency_key, traceparent, required_capabilities, input,
                           input_type, policy, attempt_timeout_ms, max_reclaims, has_tags,
                           deadline_at)
    SELECT $1, id, namespace, lane, kind, priority, flow_id, creator, key, traceparent,
           required_capabilities, input, input_type, policy, attempt_timeout_ms, max_reclaims,
           (id IN (SELECT unnest($26::uuid[]))) IS TRUE, ends_at
    FROM wanted
    WHERE key IS NULL OR id IN (SELECT execution_id FROM keyed)
    ON CONFLICT (partition, id) DO NOTHING
    RETURNING id
),
fresh AS (
    -- Compared with a hash of the ids; as a mere condition it would become a join
    -- that compares each with each.
    SELECT *, coalesce(starts_at > clock_timestamp(), false) AS delayed,
           CASE WHEN taker IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + lease_ms * interval '1 millisecond' AS lease_expires_at
    FROM wanted WHERE (id IN (SELECT id FROM created)) IS TRUE
),
queued AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, id, lane, namespace, (9000 - priority)::smallint, kind,
           string_to_array(required_capabilities, ','), 0, 0, 0, 0, 0, 'initial', false
    FROM fresh WHERE NOT delayed AND taker IS NULL
),
handed_off AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at)
    SELECT $1, id, lease_id, 1, namespace, lane, (9000 - priority)::smallint, taker, 0, 'initial',
           0, 0, 0, lease_expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond'
    FROM fresh WHERE taker IS NOT NULL
),
put_off AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, id, 'delayed', 'waiting_for_delay', starts_at, lane, (9000 - priority)::smallint,
           0, 0, 0, 0, 0, 'initial', false
    FROM fresh WHERE delayed
),
armed AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, id, 'execution_deadline'::timer_kind, ends_at FROM fresh WHERE ends_at IS NOT NULL
    UNION ALL
    SELECT $1, id, 'retention', clock_timestamp() + retention_ms * interval '1 millisecond'
    FROM fresh WHERE retention_ms IS NOT NULL
),
labelled AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT $1, t.id, t.key, t.value
    FROM unnest($26::uuid[], $27::text[], $28::text[]) AS t(id, key, value)
    WHERE (t.id IN (SELECT id FROM created)) IS TRUE
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers)
    SELECT $1, array_agg(kind), array_agg(id), array_agg(namespace), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(taker)
    FROM (
        SELECT 'created'::event_kind AS kind, id, namespace, 0::bigint AS epoch,
               NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS taker
        FROM fresh
        UNION ALL
        SELECT 'acquired', id, namespace, 1, 0, lease_id, taker
        FROM fresh WHERE taker IS NOT NULL
    ) AS told
    HAVING count(*) > 0
)
SELECT id AS "id!", delayed AS "delayed!", lease_id, lease_expires_at FROM fresh
