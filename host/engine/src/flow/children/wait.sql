-- Ends a lease whose execution waits for children: active → waiting for children, as the same
-- attempt.
--
-- Written if the lease holds and the flow is at the version that the children were read at,
-- and otherwise not at all.
--
-- $1 partition
-- lease: $2 execution, $3 id, $4 epoch, $5 attempt, $6 whether it may have expired
-- report: $7 log?, $8 component?, $9 CPU ticks?, $10 peak memory (bytes)?, $11 host calls?, $12
--   bytes out?, $13 wall time (µs)?
-- flow: $14 id, $15 version
-- group: $16 number of the wait, $17 policy, $18 k?, $19 whether the rest is cancelled, $20 kind
--   of the edges; the edges: $21 ids, $22 children, $23 whether those have ended
-- operation: $24 actor?, $25 reason?
-- Locks: the flow, then the lease row.
WITH locked AS MATERIALIZED (
    SELECT f.id FROM flow f
    WHERE f.partition = $1 AND f.id = $14 AND f.version = $15
    FOR NO KEY UPDATE
),
from_lease AS (
    DELETE FROM lease l
    WHERE l.partition = $1 AND l.execution_id = $2 AND l.lease_id = $3 AND l.epoch = $4
      AND l.attempt = $5 AND ($6::boolean OR l.expires_at > clock_timestamp())
      AND (SELECT count(*) FROM locked) > 0
    RETURNING l.*, l.epoch + $6::boolean::integer AS new_epoch
),
touched AS (
    UPDATE flow f
    SET version = f.version + 1, edge_count = f.edge_count + cardinality($21::uuid[]),
        graph_revision = f.graph_revision + cardinality($21::uuid[]),
        changed_at = clock_timestamp()
    FROM from_lease
    WHERE f.partition = $1 AND f.id = $14
),
attempts AS (
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, released_at, ended, renewals,
                         component_id, log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out,
                         wall_us, left_ms)
    SELECT $1, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
           acquired_at, clock_timestamp(), 'waiting_children', renewals, $8, $7, $9, $10, $11,
           $12, $13,
           CASE WHEN attempt_deadline_at IS NOT NULL
                THEN greatest(0, ceil(1000 * extract(
                         epoch FROM attempt_deadline_at - clock_timestamp())))::bigint
           END
    FROM from_lease
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, lane, rank, epoch, attempts,
                        retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, 'waiting_children', 'waiting_for_children', lane, rank, new_epoch,
           attempt + 1, retries, reclaims, replays, attempt_type, true
    FROM from_lease
),
groups AS (
    INSERT INTO flow_group (partition, execution_id, wait, flow_id, policy, k, cancel_remaining,
                            total)
    SELECT $1, execution_id, $16, $14, $17::text::flow_group_policy, $18, $19,
           cardinality($21::uuid[])
    FROM from_lease
),
edges AS (
    INSERT INTO flow_edge (partition, flow_id, id, upstream, downstream, wait, kind, created_by)
    SELECT $1, $14, i.id, i.child, l.execution_id, $16, $20::text::flow_edge_kind,
           coalesce($24::text, 'execution/' || l.execution_id)
    FROM from_lease l CROSS JOIN unnest($21::uuid[], $22::uuid[]) AS i(id, child)
),
due AS (
    INSERT INTO flow_due (partition, flow_id, execution_id, epoch)
    SELECT $1, $14, i.child, -1
    FROM from_lease CROSS JOIN unnest($22::uuid[], $23::boolean[]) AS i(child, ended)
    WHERE i.ended
    ON CONFLICT DO NOTHING
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, epoch)
    SELECT $1, execution_id, 'wait_children', $24::text, $25::text, new_epoch
    FROM from_lease WHERE $24::text IS NOT NULL
),
happened AS (
    SELECT 'waiting_children'::event_kind AS kind, execution_id, class_id, namespace,
           new_epoch AS epoch, attempt, lease_id, worker_instance_id,
           CASE WHEN $6::boolean THEN 'overridden' END AS detail
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
SELECT new_epoch AS "epoch!" FROM from_lease
