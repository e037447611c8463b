-- Creates a batch of executions of one partition: nothing → waiting, delayed or,
-- handed to a worker that stands by, active.
--
-- $1 partition; then arrays, one element per execution, nullable where marked?:
-- $2 ids, $3 whether their callers made them, $4 namespaces, $5 lanes, $6 kinds,
-- $7 priorities, $8 flow ids?, $9 creators?, $10 idempotency keys?, $11 request
-- digests (of those with a key or an id of the caller's)?, $12 dedup windows
-- (ms), $13 trace parents?, $14 required capabilities (comma separated)?,
-- $15 inputs, $16 media types, $17 policies (JSON)?, $18 attempt timeouts (ms)?,
-- $19 reclaim caps, $20 delays (ms)?, $21 due times?, $22 deadlines (ms)?,
-- $23 deadlines?, $24 workers that take them at once?, $25 the life of their
-- leases (ms)?, $26 retentions of their own (ms)?; and the labels of them all:
-- $27 ids, $28 keys, $29 values.
--
-- Ids and keys must be distinct within the batch, and keys sorted, so that batches
-- that meet on keys lock them in one order. An id that is not in the answer was not
-- created: its key is taken, or it exists already. A key is not taken for an id
-- that exists; where another statement creates that id at the same time, the key
-- stays with an execution that does not have it, and is given to the next request
-- that names it. Only an execution that is seen to be another one says so: that of
-- a key taken a moment ago is not seen yet.
-- Locks: idempotency rows, then the new rows.
WITH wanted AS (
    SELECT w.*,
           coalesce(w.due_at, clock_timestamp() + w.delay_ms * interval '1 millisecond') AS starts_at,
           least(w.deadline_at, clock_timestamp() + w.deadline_ms * interval '1 millisecond') AS ends_at
    FROM unnest($2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::uuid[],
                $9::text[], $10::text[], $11::bytea[], $12::bigint[], $13::text[], $14::text[],
                $15::bytea[], $16::text[], $17::text[], $18::bigint[], $19::integer[],
                $20::bigint[], $21::timestamptz[], $22::bigint[], $23::timestamptz[],
                $24::text[], $25::integer[], $26::bigint[])
        AS w(id, named, namespace, lane, kind, priority, flow_id, creator, key, request_digest,
             dedup_ms, traceparent, required_capabilities, input, input_type, policy,
             attempt_timeout_ms, max_reclaims, delay_ms, due_at, deadline_ms, deadline_at,
             taker, lease_ms, retention_ms)
),
keyed AS (
    INSERT INTO idempotency (partition, namespace, key, execution_id, request_digest, expires_at)
    SELECT $1, namespace, key, id, request_digest,
           clock_timestamp() + dedup_ms * interval '1 millisecond'
    FROM wanted w
    WHERE key IS NOT NULL
      AND (NOT named OR NOT EXISTS (SELECT FROM execution e
                                    WHERE e.partition = $1 AND e.id = w.id OFFSET 0))
    ON CONFLICT (partition, namespace, key) DO UPDATE
        SET execution_id = excluded.execution_id,
            request_digest = excluded.request_digest,
            expires_at = excluded.expires_at
        WHERE idempotency.expires_at <= clock_timestamp()
           OR EXISTS (SELECT FROM execution e
                      WHERE e.partition = $1 AND e.id = idempotency.execution_id
                        AND (e.namespace <> idempotency.namespace
                             OR e.idempotency_key IS DISTINCT FROM idempotency.key) OFFSET 0)
    RETURNING execution_id
),
created AS (
    INSERT INTO execution (partition, id, namespace, lane, kind, priority, flow_id, creator,
                           idempotency_key, traceparent, required_capabilities, input,
                           input_type, policy, attempt_timeout_ms, max_reclaims, has_tags,
                           deadline_at, request_digest)
    SELECT $1, id, namespace, lane, kind, priority, flow_id, creator, key, traceparent,
           required_capabilities, input, input_type, policy, attempt_timeout_ms, max_reclaims,
           (id IN (SELECT unnest($27::uuid[]))) IS TRUE, ends_at,
           CASE WHEN named THEN request_digest END
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
    FROM unnest($27::uuid[], $28::text[], $29::text[]) AS t(id, key, value)
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
