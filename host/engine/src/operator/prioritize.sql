-- Changes the place of an execution in its queue: waiting or parked, as it was.
--
-- $1 partition, $2 execution id, $3 new rank (9000 − priority)
-- operation: $4 actor, $5 reason?
--
-- Without an answer it moved to another table, or has that priority. The execution keeps
-- the priority when it ends and when it is replayed.
-- Locks: the ready or parked row, then the execution.
WITH existing AS (
    SELECT r.rank FROM ready r WHERE r.partition = $1 AND r.execution_id = $2
    UNION ALL
    SELECT p.rank FROM parked p WHERE p.partition = $1 AND p.execution_id = $2
),
in_ready AS (
    UPDATE ready SET rank = $3 WHERE partition = $1 AND execution_id = $2 AND rank <> $3
    RETURNING epoch, execution_id
),
in_parked AS (
    UPDATE parked SET rank = $3 WHERE partition = $1 AND execution_id = $2 AND rank <> $3
    RETURNING epoch, execution_id
),
prioritized AS (
    SELECT * FROM in_ready UNION ALL SELECT * FROM in_parked
),
executions_prioritized AS (
    UPDATE execution e SET changed_priority = 9000 - $3::smallint
    FROM prioritized p WHERE e.partition = $1 AND e.id = p.execution_id
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'prioritise', $4, $5::text,
           format('%s → %s', 9000 - (SELECT rank FROM existing LIMIT 1), 9000 - $3::smallint),
           epoch
    FROM prioritized
),
happened AS (
    SELECT 'prioritised'::event_kind AS kind, p.execution_id, e.class_id, e.namespace,
           p.epoch, NULL::integer AS attempt, NULL::uuid AS lease_id,
           NULL::text AS worker_instance_id, 
           format('%s %s', 9000 - (SELECT rank FROM existing LIMIT 1), 9000 - $3::smallint) AS detail
    FROM prioritized p JOIN execution e ON e.partition = $1 AND e.id = p.execution_id
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
SELECT (SELECT 9000 - rank FROM existing LIMIT 1) AS "before!", epoch AS "epoch!"
FROM prioritized
