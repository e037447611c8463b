-- Writes what members of flows of one partition came to, and what follows for those that
-- waited for them: waiting for children → waiting, delayed, skipped or, dispatched directly
-- to an idle worker, active.
--
-- What is written of a flow is written whole if the flow is at the version that it was
-- decided on and each member that moves still waits, and otherwise not at all. Flows that are
-- not in the answer are decided again.
--
-- $1 partition; then arrays, nullable where marked?:
-- flows, sorted: $2 ids, $3 versions, $4 members more that ended, $5 of them badly
-- members noted: $6 flow ids, $7 ids, $8 epochs
-- members that ended: $9 flow ids, $10 ids, $11 outcomes
-- edges: $12 flow ids, $13 upstream, $14 downstream, $15 waits, $16 states
-- groups as they are from now on: $17 flow ids, $18 executions, $19 waits, $20 satisfied, $21
--   failed, $22 skipped, $23 states, $24 why the rest is cancelled?
-- members that begin, sorted: $25 flow ids, $26 ids, $27 waits, $28 workers that get them
--   immediately?, $29 times to live of the leases (ms)?
-- members that are skipped, sorted: $30 flow ids, $31 ids, $32 why, $33 whether edges that
--   wait for them are still to be resolved
-- children of members that were cancelled: $34 flow ids, $35 parents, $36 whether also those
--   that run
-- Locks: the flows, then the parked rows.
WITH input AS MATERIALIZED (
    SELECT i.*
    FROM unnest($2::uuid[], $3::bigint[], $4::integer[], $5::integer[])
        AS i(flow_id, version, ended_add, bad_add)
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
candidate AS MATERIALIZED (
    SELECT i.flow_id, i.execution_id, i.wait, i.worker_instance_id, i.lease_ttl_ms,
           NULL::text AS why, false AS open
    FROM unnest($25::uuid[], $26::uuid[], $27::integer[], $28::text[], $29::integer[])
        AS i(flow_id, execution_id, wait, worker_instance_id, lease_ttl_ms)
    UNION ALL
    SELECT i.flow_id, i.execution_id, 0, NULL, NULL, i.why, i.open
    FROM unnest($30::uuid[], $31::uuid[], $32::text[], $33::boolean[])
        AS i(flow_id, execution_id, why, open)
),
in_parked AS MATERIALIZED (
    SELECT c.*, p.address
    FROM candidate c JOIN locked k ON k.flow_id = c.flow_id
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = c.execution_id
          AND p.state = 'waiting_children'
        FOR UPDATE
    ) AS p
),
applied AS MATERIALIZED (
    SELECT k.flow_id FROM locked k
    WHERE (SELECT count(*) FROM candidate c WHERE c.flow_id = k.flow_id)
        = (SELECT count(*) FROM in_parked p WHERE p.flow_id = k.flow_id)
),
touched AS (
    UPDATE flow f
    SET version = f.version + 1, changed_at = clock_timestamp(),
        ended_count = f.ended_count + i.ended_add, bad_count = f.bad_count + i.bad_add,
        ended_at = CASE WHEN f.ended_count + i.ended_add < f.node_count THEN NULL
                        ELSE coalesce(f.ended_at, clock_timestamp()) END
    FROM input i CROSS JOIN LATERAL (
        SELECT f.ctid AS address FROM flow f WHERE f.partition = $1 AND f.id = i.flow_id OFFSET 0
    ) AS found
    WHERE f.ctid = found.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    RETURNING f.id, f.namespace, f.bad_count, i.ended_add, f.ended_at, f.cancelled_at
),
due_removed AS (
    DELETE FROM flow_due d
    USING unnest($6::uuid[], $7::uuid[], $8::bigint[]) AS i(flow_id, execution_id, epoch)
    CROSS JOIN LATERAL (
        SELECT d.ctid AS address FROM flow_due d
        WHERE d.partition = $1 AND d.flow_id = i.flow_id AND d.execution_id = i.execution_id
          AND d.epoch = i.epoch OFFSET 0
    ) AS found
    WHERE d.ctid = found.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
members_updated AS (
    UPDATE flow_member m SET outcome = i.outcome::outcome
    FROM unnest($9::uuid[], $10::uuid[], $11::text[]) AS i(flow_id, execution_id, outcome)
    CROSS JOIN LATERAL (
        SELECT m.ctid AS address FROM flow_member m
        WHERE m.partition = $1 AND m.flow_id = i.flow_id AND m.execution_id = i.execution_id
        OFFSET 0
    ) AS found
    WHERE m.ctid = found.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
edges_updated AS (
    UPDATE flow_edge e SET state = i.state::flow_edge_state
    FROM unnest($12::uuid[], $13::uuid[], $14::uuid[], $15::integer[], $16::text[])
        AS i(flow_id, upstream, downstream, wait, state)
    CROSS JOIN LATERAL (
        SELECT e.ctid AS address FROM flow_edge e
        WHERE e.partition = $1 AND e.upstream BETWEEN i.upstream AND i.upstream
          AND e.downstream = i.downstream AND e.wait = i.wait
        ORDER BY e.upstream, e.downstream, e.wait LIMIT 1
    ) AS found
    WHERE e.ctid = found.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
groups_updated AS (
    UPDATE flow_group g
    SET satisfied = i.satisfied, failed = i.failed, skipped = i.skipped,
        state = i.state::flow_group_state,
        decided_at = CASE WHEN i.state = 'pending' THEN NULL
                          ELSE coalesce(g.decided_at, clock_timestamp()) END
    FROM unnest($17::uuid[], $18::uuid[], $19::integer[], $20::integer[], $21::integer[],
                $22::integer[], $23::text[])
        AS i(flow_id, execution_id, wait, satisfied, failed, skipped, state)
    CROSS JOIN LATERAL (
        SELECT g.ctid AS address FROM flow_group g
        WHERE g.partition = $1 AND g.execution_id = i.execution_id AND g.wait = i.wait OFFSET 0
    ) AS found
    WHERE g.ctid = found.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
),
cancels AS (
    INSERT INTO flow_cancel (partition, flow_id, execution_id, reason)
    SELECT $1, i.flow_id, e.upstream, i.reason
    FROM unnest($17::uuid[], $18::uuid[], $19::integer[], $24::text[])
        AS i(flow_id, execution_id, wait, reason)
    CROSS JOIN LATERAL (
        SELECT e.upstream FROM flow_edge e
        WHERE e.partition = $1 AND e.downstream = i.execution_id AND e.wait = i.wait
          AND e.state = 'pending' OFFSET 0
    ) AS e
    WHERE i.reason IS NOT NULL AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
      AND e.upstream <> ALL ($10::uuid[])
    UNION
    SELECT $1, i.flow_id, m.execution_id, 'parent_cancelled'
    FROM unnest($34::uuid[], $35::uuid[], $36::boolean[]) AS i(flow_id, parent_id, running)
    CROSS JOIN LATERAL (
        SELECT m.execution_id FROM flow_member m
        WHERE m.partition = $1 AND m.parent_id = i.parent_id AND m.outcome IS NULL OFFSET 0
    ) AS m
    WHERE (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
      AND (i.running OR NOT EXISTS (
          SELECT FROM lease l WHERE l.partition = $1 AND l.execution_id = m.execution_id OFFSET 0))
    ON CONFLICT DO NOTHING
    RETURNING flow_id
),
from_parked AS (
    DELETE FROM parked p USING in_parked i
    WHERE p.ctid = i.address AND (i.flow_id IN (SELECT flow_id FROM applied)) IS TRUE
    RETURNING i.flow_id, i.execution_id, i.worker_instance_id, i.lease_ttl_ms, i.why, i.open,
              p.lane, p.rank, p.epoch, p.attempts, p.retries, p.reclaims, p.replays, p.next_type,
              p.resumes
),
moved AS MATERIALIZED (
    SELECT p.*, e.namespace, e.kind, e.class_id, e.creator, e.required_capabilities,
           e.traceparent, e.input, e.input_type, e.policy, e.has_tags, g.starts_at,
           coalesce(g.starts_at > clock_timestamp(), false) AS delayed,
           p.epoch + 1 AS new_epoch,
           CASE WHEN p.resumes THEN p.attempts - 1 ELSE p.attempts END AS attempt,
           CASE WHEN p.worker_instance_id IS NULL OR e.attempt_timeout_ms IS NULL THEN NULL
                WHEN p.resumes
                    THEN coalesce((SELECT a.left_ms FROM attempt a
                                   WHERE a.partition = $1 AND a.execution_id = p.execution_id
                                   ORDER BY a.epoch DESC LIMIT 1), e.attempt_timeout_ms)
                ELSE e.attempt_timeout_ms END AS attempt_timeout_ms,
           CASE WHEN p.worker_instance_id IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + p.lease_ttl_ms * interval '1 millisecond' AS expires_at
    FROM from_parked p
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = p.execution_id OFFSET 0
    ) AS e
    LEFT JOIN LATERAL (
        SELECT g.starts_at FROM flow_group g
        WHERE g.partition = $1 AND g.execution_id = p.execution_id AND g.wait = 0 OFFSET 0
    ) AS g ON NOT p.resumes
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, lane, namespace, rank, kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims,
           replays, next_type, resumes
    FROM moved WHERE why IS NULL AND worker_instance_id IS NULL AND NOT delayed
),
to_lease AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, class_id, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at, flow_id)
    SELECT $1, execution_id, lease_id, new_epoch, namespace, lane, class_id, rank,
           worker_instance_id, attempt, next_type, retries, reclaims, replays, expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond', flow_id
    FROM moved WHERE worker_instance_id IS NOT NULL
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, 'delayed', 'waiting_for_delay', starts_at, lane, rank, epoch,
           attempts, retries, reclaims, replays, next_type, resumes
    FROM moved WHERE why IS NULL AND worker_instance_id IS NULL AND delayed
),
ended AS (
    INSERT INTO finished (partition, execution_id, outcome, epoch, attempts, retries, reclaims,
                          replays, failure_class, failure_code, failure_message, source)
    SELECT $1, execution_id, 'skipped', new_epoch, attempts, retries, reclaims, replays,
           'cancelled', 'dependency_impossible', why, 'flow_cascade'
    FROM moved WHERE why IS NOT NULL
),
due AS (
    INSERT INTO flow_due (partition, flow_id, execution_id, epoch)
    SELECT $1, flow_id, execution_id, new_epoch FROM moved WHERE open
),
timers_removed AS (
    DELETE FROM timer t
    USING moved m CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM timer t
        WHERE t.partition = $1 AND t.execution_id = m.execution_id
          AND t.kind = 'execution_deadline' OFFSET 0
    ) AS found
    WHERE t.ctid = found.address AND m.why IS NOT NULL
),
happened AS (
    SELECT CASE WHEN why IS NULL THEN 'promoted'::event_kind ELSE 'skipped' END AS kind,
           execution_id, class_id, namespace,
           CASE WHEN why IS NULL THEN epoch ELSE new_epoch END AS epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           CASE WHEN why IS NOT NULL THEN 'flow_cascade' END AS detail
    FROM moved
    UNION ALL
    SELECT 'acquired', execution_id, class_id, namespace, new_epoch, attempt, lease_id,
           worker_instance_id, NULL
    FROM moved WHERE worker_instance_id IS NOT NULL
    UNION ALL
    SELECT 'flow_ended', id, NULL, namespace, 0, NULL, NULL, NULL,
           CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled' WHEN bad_count > 0 THEN 'failed'
                ELSE 'completed' END
    FROM touched WHERE ended_at IS NOT NULL AND ended_add > 0
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
SELECT f.id AS "applied!", (SELECT count(*) FROM cancels c WHERE c.flow_id = f.id) AS "cancels!",
       m.execution_id AS "execution_id?", m.lease_id AS "lease_id?", m.new_epoch AS "epoch?",
       m.attempt AS "attempt?", m.expires_at AS "expires_at?", m.next_type::text AS attempt_type,
       m.resumes AS "resumes?", m.namespace AS "namespace?", m.lane AS "lane?", m.kind AS "kind?",
       m.creator AS "creator?", m.traceparent AS "traceparent?", m.input AS "input?",
       m.input_type AS "input_type?", m.policy AS "policy?",
       m.attempt_timeout_ms AS "attempt_timeout_ms?", m.retries AS "retries?",
       CASE WHEN m.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[label.key, label.value]) FROM (
               SELECT t.key, t.value FROM tag t
               WHERE t.partition = $1 AND t.execution_id = m.execution_id OFFSET 0
           ) AS label ORDER BY label.key)
       END AS tags
FROM touched f
LEFT JOIN moved m ON m.flow_id = f.id AND m.worker_instance_id IS NOT NULL
