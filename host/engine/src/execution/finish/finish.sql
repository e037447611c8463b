-- Finishes executions of one partition from outside: waiting, parked or active →
-- finished.
--
-- $1 partition; then arrays, one element per execution, nullable where marked?
-- executions: $2 ids (sorted, distinct), $3 outcome, $4 failure class, $5 code,
-- $6 message?, $7 source, $8 how a running attempt ends, $9 event
-- guards: $10 whether only past its deadline, $11 suspension?: only if the execution
-- waits in it and its time limit has passed
-- suspensions: $12 why one closes, and its waitpoints
-- operations: $13 verb?, $14 actor?
--
-- An execution that is not in the answer is finished already, does not exist, or
-- moved to another table between the snapshot and the lock: the caller reads which.
-- The epoch grows, so that a holder can write no more. A member of a flow is handed to
-- its flow by a row of flow_due.
-- Locks: lease, ready, parked and timer rows of the executions, then their
-- suspensions and waitpoints.
WITH input AS MATERIALIZED (
    SELECT i.*
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::boolean[], $11::uuid[], $12::text[], $13::text[],
                $14::text[])
        AS i(execution_id, outcome, failure_class, failure_code, failure_message, source,
             ended, event, only_due, suspension_id, close_reason, verb, actor)
    WHERE NOT i.only_due OR (
        SELECT t.due_at FROM timer t
        WHERE t.partition = $1 AND t.execution_id = i.execution_id
          AND t.kind = 'execution_deadline') <= clock_timestamp()
),
from_lease AS (
    DELETE FROM lease l
    USING input i CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
    WHERE l.ctid = found.address AND i.suspension_id IS NULL
    RETURNING i.*, l.epoch, l.attempt, l.attempt_type, l.lease_id, l.worker_instance_id,
              l.acquired_at, l.renewals, l.retries, l.reclaims, l.replays
),
from_ready AS (
    DELETE FROM ready r
    USING input i CROSS JOIN LATERAL (
        SELECT r.ctid AS address FROM ready r
        WHERE r.partition = $1 AND r.execution_id = i.execution_id OFFSET 0
    ) AS found
    WHERE r.ctid = found.address AND i.suspension_id IS NULL
    RETURNING i.*, r.epoch, r.attempts, r.retries, r.reclaims, r.replays
),
from_parked AS (
    DELETE FROM parked p
    USING input i CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = i.execution_id OFFSET 0
    ) AS found
    WHERE p.ctid = found.address
      AND (i.suspension_id IS NULL
           OR p.suspension_id = i.suspension_id AND p.wake_at <= clock_timestamp())
    RETURNING i.*, p.epoch, p.attempts, p.retries, p.reclaims, p.replays, p.state
),
suspensions_closed AS (
    UPDATE suspension s SET closed_at = clock_timestamp(), close_reason = p.close_reason
    FROM from_parked p
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = p.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address AND p.state = 'suspended'
),
waitpoints_closed AS (
    UPDATE waitpoint w
    SET state = 'closed', close_reason = p.close_reason, closed_at = clock_timestamp()
    FROM from_parked p
    CROSS JOIN LATERAL (
        SELECT w.ctid AS address FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = p.execution_id AND w.state = 'active'
        OFFSET 0
    ) AS found
    WHERE w.ctid = found.address AND p.state = 'suspended'
),
touched AS (
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1 AS epoch, attempt + 1 AS attempts, retries, reclaims, replays,
           attempt, lease_id, epoch AS lease_epoch, attempt_type, worker_instance_id,
           acquired_at, ended::attempt_end AS ended, renewals
    FROM from_lease
    UNION ALL
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1, attempts, retries, reclaims, replays,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM from_ready
    UNION ALL
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1, attempts, retries, reclaims, replays,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM from_parked
),
moved AS (
    SELECT m.*, e.class_id, e.namespace, e.flow_id
    FROM touched m
    CROSS JOIN LATERAL (
        SELECT e.class_id, e.namespace, e.flow_id FROM execution e
        WHERE e.partition = $1 AND e.id = m.execution_id OFFSET 0
    ) AS e
),
timers_removed AS (
    DELETE FROM timer t
    USING moved m CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM timer t
        WHERE t.partition = $1 AND t.execution_id = m.execution_id
          AND t.kind = 'execution_deadline' OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
),
ended AS (
    INSERT INTO finished (partition, execution_id, outcome, epoch, attempts, retries, reclaims,
                          replays, failure_class, failure_code, failure_message, source,
                          lease_id, lease_epoch, attempt_type, worker_instance_id, acquired_at,
                          ended, renewals)
    SELECT $1, execution_id, outcome::outcome, epoch, attempts, retries, reclaims, replays,
           failure_class::failure_class, failure_code, failure_message, source, lease_id,
           lease_epoch, attempt_type, worker_instance_id, acquired_at, ended, renewals
    FROM moved
    RETURNING execution_id, outcome, epoch
),
due AS (
    INSERT INTO flow_due (partition, flow_id, execution_id, epoch)
    SELECT $1, flow_id, execution_id, epoch FROM moved WHERE flow_id IS NOT NULL
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, epoch)
    SELECT $1, execution_id, verb, actor, failure_message, epoch FROM moved
    WHERE actor IS NOT NULL
),
happened AS (
    SELECT event::event_kind AS kind, execution_id, class_id, namespace, epoch, attempt,
           lease_id, worker_instance_id, source AS detail
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
SELECT execution_id AS "execution_id!", epoch AS "epoch!", lease_id IS NOT NULL AS "was_active!",
       flow_id
FROM moved
