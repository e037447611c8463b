-- Creates a batch of executions of one partition: nothing → waiting, delayed or,
-- dispatched directly to an idle worker, active.
--
-- $1 partition; then arrays, one element per execution, nullable where marked?
-- executions: $2 ids, $3 whether their callers made them, $4 namespaces, $5 lanes,
-- $6 kinds, $7 classes, $8 priorities, $9 creators?, $10 trace parents?, $11 required
-- capabilities (comma separated)?, $12 inputs, $13 media types, $14 policies (JSON)?,
-- $15 attempt timeouts (ms)?, $16 reclaim caps
-- keys: $17 idempotency keys?, $18 request digests?, of those with a key or an id of the
-- caller's, $19 dedup windows (ms)
-- timers: $20 delays (ms)?, $21 due times?, $22 deadlines (ms)?, $23 deadlines?,
-- $24 retentions of their own (ms)?
-- leases: $25 workers that get them immediately?, $26 times to live (ms)?
-- tags, one element per tag: $27 execution ids, $28 keys, $29 values
--
-- Ids and keys must be distinct within the batch, and keys sorted, so that batches
-- that meet on keys lock them in one order. An id that is not in the answer was not
-- created: its key is taken, or it exists already. A key is not taken for an id
-- that exists; where another statement creates that id at the same time, the key
-- stays with an execution that does not have it, and is given to the next request
-- that names it. Only an execution that is seen to be another one says so: that of
-- a key taken a moment ago is not seen yet.
-- Locks: idempotency rows, then the new rows.
WITH input AS (
    SELECT i.*,
           coalesce(i.due_at, clock_timestamp() + i.delay_ms * interval '1 millisecond') AS starts_at,
           least(i.deadline_at, clock_timestamp() + i.deadline_ms * interval '1 millisecond') AS ends_at
    FROM unnest($2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::smallint[],
                $9::text[], $10::text[], $11::text[], $12::bytea[], $13::text[],
                $14::text[], $15::bigint[], $16::integer[], $17::text[], $18::bytea[],
                $19::bigint[], $20::bigint[], $21::timestamptz[], $22::bigint[],
                $23::timestamptz[], $24::bigint[], $25::text[], $26::integer[])
        AS i(id, named, namespace, lane, kind, class_id, priority, creator, traceparent,
             required_capabilities, input, input_type, policy, attempt_timeout_ms, max_reclaims,
             key, request_digest, dedup_ms, delay_ms, due_at, deadline_ms, deadline_at,
             retention_ms, worker_instance_id, lease_ttl_ms)
),
keys AS (
    INSERT INTO idempotency (partition, namespace, key, execution_id, request_digest, expires_at)
    SELECT $1, namespace, key, id, request_digest,
           clock_timestamp() + dedup_ms * interval '1 millisecond'
    FROM input i
    WHERE key IS NOT NULL
      AND (NOT named OR NOT EXISTS (SELECT FROM execution e
                                    WHERE e.partition = $1 AND e.id = i.id OFFSET 0))
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
    INSERT INTO execution (partition, id, namespace, lane, kind, class_id, priority, creator,
                           idempotency_key, traceparent, required_capabilities, input,
                           input_type, policy, attempt_timeout_ms, max_reclaims, has_tags,
                           deadline_at, request_digest)
    SELECT $1, id, namespace, lane, kind, class_id, priority, creator, key, traceparent,
           required_capabilities, input, input_type, policy, attempt_timeout_ms, max_reclaims,
           (id IN (SELECT unnest($27::uuid[]))) IS TRUE, ends_at,
           CASE WHEN named THEN request_digest END
    FROM input
    WHERE key IS NULL OR id IN (SELECT execution_id FROM keys)
    ON CONFLICT (partition, id) DO NOTHING
    RETURNING id
),
moved AS (
    -- Compared with a hash of the ids; as a mere condition it would become a join
    -- that compares each with each.
    SELECT *, coalesce(starts_at > clock_timestamp(), false) AS delayed,
           CASE WHEN worker_instance_id IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + lease_ttl_ms * interval '1 millisecond' AS lease_expires_at
    FROM input WHERE (id IN (SELECT id FROM created)) IS TRUE
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, id, lane, namespace, (9000 - priority)::smallint, kind,
           string_to_array(required_capabilities, ','), 0, 0, 0, 0, 0, 'initial', false
    FROM moved WHERE NOT delayed AND worker_instance_id IS NULL
),
to_lease AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, class_id, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at)
    SELECT $1, id, lease_id, 1, namespace, lane, class_id, (9000 - priority)::smallint,
           worker_instance_id, 0, 'initial', 0, 0, 0, lease_expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond'
    FROM moved WHERE worker_instance_id IS NOT NULL
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, id, 'delayed', 'waiting_for_delay', starts_at, lane, (9000 - priority)::smallint,
           0, 0, 0, 0, 0, 'initial', false
    FROM moved WHERE delayed
),
timers AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, id, 'execution_deadline'::timer_kind, ends_at FROM moved WHERE ends_at IS NOT NULL
    UNION ALL
    SELECT $1, id, 'retention', clock_timestamp() + retention_ms * interval '1 millisecond'
    FROM moved WHERE retention_ms IS NOT NULL
),
tags AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT $1, i.id, i.key, i.value
    FROM unnest($27::uuid[], $28::text[], $29::text[]) AS i(id, key, value)
    WHERE (i.id IN (SELECT id FROM created)) IS TRUE
    RETURNING execution_id, key, value
),
happened AS (
    SELECT 'created'::event_kind AS kind, id AS execution_id, class_id, namespace,
           0::bigint AS epoch, NULL::integer AS attempt, NULL::uuid AS lease_id,
           NULL::text AS worker_instance_id, NULL::text AS detail
    FROM moved
    UNION ALL
    SELECT 'tagged', m.id, m.class_id, m.namespace, 0, NULL, NULL, NULL,
           t.key || '=' || t.value
    FROM tags t JOIN moved m ON m.id = t.execution_id
    UNION ALL
    SELECT 'acquired', id, class_id, namespace, 1, 0, lease_id, worker_instance_id, NULL
    FROM moved WHERE worker_instance_id IS NOT NULL
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
SELECT id AS "id!", delayed AS "delayed!", lease_id, lease_expires_at FROM moved
