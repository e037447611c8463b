-- Changes the graphs of flows of one partition: makes flows, creates executions in them,
-- adds executions that exist, and joins members by edges.
--
-- A change is of one flow, and is written whole if the flow is at the version that it was
-- decided on and each execution that it moves is where it was, and otherwise not at all.
-- Flows that are not in the answer were not changed.
--
-- $1 partition; then arrays, nullable where marked?:
-- changes, sorted by flow: $2 flow ids, $3 versions they were decided on, null for a new
--   flow, $4 namespaces, $5 kinds?, $6 creators?, $7 idempotency keys?, $8 request digests?,
--   $9 cancellation policies?, of new flows; $10 members and $11 edges that are added
-- labels of new flows: $12 flow ids, $13 keys, $14 values
-- new executions, sorted: $15 flow ids, $16 ids, $17 names?, $18 request digests, $19
--   parents?, $20 lanes, $21 kinds, $22 classes, $23 priorities, $24 creators?, $25 trace
--   parents?, $26 required capabilities (comma separated)?, $27 inputs, $28 media types, $29
--   policies (JSON)?, $30 attempt timeouts (ms)?, $31 reclaim caps, $32 delays (ms)?, $33 due
--   times?, $34 deadlines (ms)?, $35 deadlines?, $36 whether edges lead to them, $37 workers that get them immediately?, $38 times to live of
--   the leases (ms)?
-- their labels: $39 execution ids, $40 keys, $41 values
-- executions that exist, sorted: $42 flow ids, $43 ids, $44 whether they join the flow,
--   $45 whether they begin to wait for edges
-- edges: $46 flow ids, $47 ids, $48 upstream, $49 downstream, $50 kinds, $51 names of what is
--   passed?, $52 makers
-- groups as they are from now on: $53 flow ids, $54 executions, $55 policies, $56 k?, $57
--   whether the rest is cancelled, $58 edges in all
-- members that have ended or may have, for which edges wait: $59 flow ids, $60 ids
-- holders who ask: $61 flow ids, $62 executions, $63 lease ids, $64 epochs
-- of the groups: $65 delays (ms)? and $66 due times? of their executions, if those are new
-- Locks: the flows, then ready, lease, parked and finished rows of the executions that exist,
-- and shares of the leases of holders.
WITH input AS MATERIALIZED (
    SELECT i.*
    FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::bytea[], $9::text[], $10::integer[], $11::integer[])
        AS i(flow_id, version, namespace, kind, creator, key, request_digest, default_policy,
             nodes_add, edges_add)
),
existing AS MATERIALIZED (
    SELECT i.*
    FROM unnest($42::uuid[], $43::uuid[], $44::boolean[], $45::boolean[])
        AS i(flow_id, execution_id, joins, waits)
),
locked AS MATERIALIZED (
    SELECT i.flow_id
    FROM input i
    CROSS JOIN LATERAL (
        SELECT f.id FROM flow f
        WHERE f.partition = $1 AND f.id = i.flow_id AND f.version = i.version
        FOR NO KEY UPDATE
    ) AS f
),
in_ready AS MATERIALIZED (
    SELECT x.flow_id, x.execution_id, x.waits, r.address, NULL::timestamptz AS starts_at
    FROM existing x JOIN locked k ON k.flow_id = x.flow_id
    CROSS JOIN LATERAL (
        SELECT r.ctid AS address FROM ready r
        WHERE r.partition = $1 AND r.execution_id = x.execution_id
          AND (NOT x.waits OR r.attempts = 0)
        FOR UPDATE
    ) AS r
),
in_parked AS MATERIALIZED (
    SELECT x.flow_id, x.execution_id, x.waits, p.address, p.wake_at AS starts_at
    FROM existing x JOIN locked k ON k.flow_id = x.flow_id
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address, p.wake_at FROM parked p
        WHERE p.partition = $1 AND p.execution_id = x.execution_id
          AND (NOT x.waits OR p.state = 'delayed' AND p.attempts = 0)
        FOR UPDATE
    ) AS p
),
in_lease AS MATERIALIZED (
    SELECT x.flow_id, x.execution_id, l.address
    FROM existing x JOIN locked k ON k.flow_id = x.flow_id
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = x.execution_id
        FOR UPDATE
    ) AS l
    WHERE NOT x.waits
),
in_finished AS MATERIALIZED (
    SELECT x.flow_id, x.execution_id
    FROM existing x JOIN locked k ON k.flow_id = x.flow_id
    CROSS JOIN LATERAL (
        SELECT f.execution_id FROM finished f
        WHERE f.partition = $1 AND f.execution_id = x.execution_id
        FOR UPDATE
    ) AS f
    WHERE NOT x.waits
),
held AS MATERIALIZED (
    SELECT i.flow_id, l.address
    FROM unnest($61::uuid[], $62::uuid[], $63::uuid[], $64::bigint[])
        AS i(flow_id, execution_id, lease_id, epoch)
    JOIN locked k ON k.flow_id = i.flow_id
    LEFT JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id AND l.lease_id = i.lease_id
          AND l.epoch = i.epoch AND l.expires_at > clock_timestamp()
        FOR KEY SHARE
    ) AS l ON true
),
created AS (
    INSERT INTO flow (partition, id, namespace, kind, creator, idempotency_key, request_digest,
                      default_policy, graph_revision, node_count, edge_count, has_tags)
    SELECT $1, flow_id, namespace, kind, creator, key, request_digest,
           default_policy::flow_cancellation_policy, nodes_add + edges_add, nodes_add, edges_add,
           (flow_id IN (SELECT unnest($12::uuid[]))) IS TRUE
    FROM input WHERE version IS NULL
    ON CONFLICT DO NOTHING
    RETURNING id, graph_revision, node_count, edge_count
),
applied AS MATERIALIZED (
    SELECT id AS flow_id FROM created
    UNION ALL
    SELECT k.flow_id FROM locked k
    WHERE (SELECT count(*) FROM existing x WHERE x.flow_id = k.flow_id)
        = (SELECT count(*) FROM in_ready r WHERE r.flow_id = k.flow_id)
        + (SELECT count(*) FROM in_parked p WHERE p.flow_id = k.flow_id)
        + (SELECT count(*) FROM in_lease l WHERE l.flow_id = k.flow_id)
        + (SELECT count(*) FROM in_finished f WHERE f.flow_id = k.flow_id)
      AND NOT EXISTS (SELECT FROM held h WHERE h.flow_id = k.flow_id AND h.address IS NULL)
),
touched AS (
    UPDATE flow f
    SET version = f.version + 1, graph_revision = f.graph_revision + i.nodes_add + i.edges_add,
        node_count = f.node_count + i.nodes_add, edge_count = f.edge_count + i.edges_add,
        ended_at = CASE WHEN i.nodes_add = 0 THEN f.ended_at END, changed_at = clock_timestamp()
    FROM input i CROSS JOIN LATERAL (
        SELECT f.ctid AS address FROM flow f WHERE f.partition = $1 AND f.id = i.flow_id OFFSET 0
    ) AS found
    WHERE f.ctid = found.address AND i.version IS NOT NULL
      AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    RETURNING f.id, f.graph_revision, f.node_count, f.edge_count
),
moved AS MATERIALIZED (
    SELECT i.*, n.namespace,
           coalesce(i.due_at, clock_timestamp() + i.delay_ms * interval '1 millisecond') AS starts_at,
           least(i.deadline_at,
                 clock_timestamp() + i.deadline_ms * interval '1 millisecond') AS ends_at,
           CASE WHEN i.worker_instance_id IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + i.lease_ttl_ms * interval '1 millisecond' AS lease_expires_at
    FROM unnest($15::uuid[], $16::uuid[], $17::text[], $18::bytea[], $19::uuid[], $20::text[],
                $21::text[], $22::integer[], $23::smallint[], $24::text[], $25::text[], $26::text[],
                $27::bytea[], $28::text[], $29::text[], $30::bigint[], $31::integer[],
                $32::bigint[], $33::timestamptz[], $34::bigint[], $35::timestamptz[],
                $36::boolean[], $37::text[], $38::integer[])
        AS i(flow_id, id, name, request_digest, parent_id, lane, kind, class_id, priority, creator,
             traceparent, required_capabilities, input, input_type, policy, attempt_timeout_ms,
             max_reclaims, delay_ms, due_at, deadline_ms, deadline_at, waits,
             worker_instance_id, lease_ttl_ms)
    JOIN input n ON n.flow_id = i.flow_id
    WHERE (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
executions AS (
    INSERT INTO execution (partition, id, namespace, lane, kind, class_id, priority, flow_id,
                           creator, traceparent, required_capabilities, input, input_type, policy,
                           attempt_timeout_ms, max_reclaims, has_tags, deadline_at)
    SELECT $1, id, namespace, lane, kind, class_id, priority, flow_id, creator, traceparent,
           required_capabilities, input, input_type, policy, attempt_timeout_ms, max_reclaims,
           (id IN (SELECT unnest($39::uuid[]))) IS TRUE, ends_at
    FROM moved
),
members AS (
    INSERT INTO flow_member (partition, flow_id, execution_id, name, request_digest, parent_id)
    SELECT $1, flow_id, id, name, request_digest, parent_id FROM moved
    UNION ALL
    SELECT $1, flow_id, execution_id, NULL, NULL, NULL FROM existing
    WHERE joins AND (flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
executions_joined AS (
    UPDATE execution e SET flow_id = x.flow_id
    FROM existing x CROSS JOIN LATERAL (
        SELECT e.ctid AS address FROM execution e
        WHERE e.partition = $1 AND e.id = x.execution_id OFFSET 0
    ) AS found
    WHERE e.ctid = found.address AND x.joins
      AND (x.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
leases_joined AS (
    UPDATE lease l SET flow_id = x.flow_id FROM in_lease x
    WHERE l.ctid = x.address AND (x.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
from_ready AS (
    DELETE FROM ready r USING in_ready x
    WHERE r.ctid = x.address AND x.waits
      AND (x.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    RETURNING r.*
),
parked_updated AS (
    UPDATE parked p
    SET state = 'waiting_children', reason = 'waiting_for_children', wake_at = NULL
    FROM in_parked x
    WHERE p.ctid = x.address AND x.waits
      AND (x.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, id, lane, namespace, (9000 - priority)::smallint, kind,
           string_to_array(required_capabilities, ','), 0, 0, 0, 0, 0, 'initial', false
    FROM moved
    WHERE NOT waits AND worker_instance_id IS NULL
      AND (starts_at > clock_timestamp()) IS NOT TRUE
),
to_lease AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, class_id, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at, flow_id)
    SELECT $1, id, lease_id, 1, namespace, lane, class_id, (9000 - priority)::smallint,
           worker_instance_id, 0, 'initial', 0, 0, 0, lease_expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond', flow_id
    FROM moved WHERE worker_instance_id IS NOT NULL
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, id, CASE WHEN waits THEN 'waiting_children' ELSE 'delayed' END::parked_state,
           CASE WHEN waits THEN 'waiting_for_children'
                ELSE 'waiting_for_delay' END::blocking_reason,
           CASE WHEN NOT waits THEN starts_at END, lane, (9000 - priority)::smallint, 0, 0, 0, 0,
           0, 'initial'::attempt_type, false
    FROM moved
    WHERE waits OR worker_instance_id IS NULL AND starts_at > clock_timestamp()
    UNION ALL
    SELECT $1, execution_id, 'waiting_children', 'waiting_for_children', NULL, lane, rank, epoch,
           attempts, retries, reclaims, replays, next_type, resumes
    FROM from_ready
),
timers AS (
    INSERT INTO timer (partition, execution_id, kind, due_at)
    SELECT $1, id, 'execution_deadline'::timer_kind, ends_at FROM moved WHERE ends_at IS NOT NULL
),
tags AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT $1, i.id, i.key, i.value
    FROM unnest($39::uuid[], $40::text[], $41::text[]) AS i(id, key, value)
    WHERE (i.id IN (SELECT id FROM moved)) IS TRUE
    RETURNING execution_id, key, value
),
flow_tags AS (
    INSERT INTO flow_tag (partition, flow_id, key, value)
    SELECT $1, i.id, i.key, i.value
    FROM unnest($12::uuid[], $13::text[], $14::text[]) AS i(id, key, value)
    WHERE (i.id IN (SELECT id FROM created)) IS TRUE
),
edges AS (
    INSERT INTO flow_edge (partition, flow_id, id, upstream, downstream, kind, data_passing_ref,
                           created_by)
    SELECT $1, i.flow_id, i.id, i.upstream, i.downstream, i.kind::flow_edge_kind,
           i.data_passing_ref, i.created_by
    FROM unnest($46::uuid[], $47::uuid[], $48::uuid[], $49::uuid[], $50::text[], $51::text[],
                $52::text[])
        AS i(flow_id, id, upstream, downstream, kind, data_passing_ref, created_by)
    WHERE (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
groups AS (
    INSERT INTO flow_group (partition, execution_id, flow_id, policy, k, cancel_remaining, total,
                            starts_at)
    SELECT $1, i.execution_id, i.flow_id, i.policy::flow_group_policy, i.k, i.cancel_remaining,
           i.total,
           coalesce(i.due_at, clock_timestamp() + i.delay_ms * interval '1 millisecond',
                    p.starts_at)
    FROM unnest($53::uuid[], $54::uuid[], $55::text[], $56::integer[], $57::boolean[],
                $58::integer[], $65::bigint[], $66::timestamptz[])
        AS i(flow_id, execution_id, policy, k, cancel_remaining, total, delay_ms, due_at)
    LEFT JOIN in_parked p ON p.execution_id = i.execution_id AND p.waits
    WHERE (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    ON CONFLICT (partition, execution_id, wait) DO UPDATE
        SET policy = excluded.policy, k = excluded.k, cancel_remaining = excluded.cancel_remaining,
            total = excluded.total, starts_at = coalesce(excluded.starts_at, flow_group.starts_at)
),
due AS (
    INSERT INTO flow_due (partition, flow_id, execution_id, epoch)
    SELECT $1, i.flow_id, i.execution_id, -1
    FROM unnest($59::uuid[], $60::uuid[]) AS i(flow_id, execution_id)
    WHERE (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    ON CONFLICT DO NOTHING
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
SELECT id AS "flow_id!", graph_revision AS "graph_revision!", node_count AS "node_count!",
       edge_count AS "edge_count!", NULL::uuid AS execution_id, NULL::uuid AS lease_id,
       NULL::timestamptz AS lease_expires_at
FROM created
UNION ALL
SELECT id, graph_revision, node_count, edge_count, NULL, NULL, NULL FROM touched
UNION ALL
-- Of new executions those that wait for a time, and those that a worker gets.
SELECT flow_id, 0, 0, 0, id, lease_id, lease_expires_at
FROM moved
WHERE lease_id IS NOT NULL OR NOT waits AND starts_at > clock_timestamp()
