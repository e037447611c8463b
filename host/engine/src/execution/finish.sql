-- Finishes executions of one partition from whatever state they are in:
-- waiting, parked or active → finished.
--
-- $1 partition; then arrays, one element per execution, nullable where marked?:
-- $2 execution ids (sorted, distinct), $3 how a running attempt ends,
-- $4 outcome, $5 failure code, $6 message?, $7 source?, $8 event,
-- $9 whether only past its deadline; and for what an operator asked: $10 verb?,
-- $11 actor?; $12 the suspension whose time has passed?: only if the execution still
-- waits in it and is due; $13 failure class.
--
-- An execution that is not in the answer is finished already, does not exist, or
-- changed its place between the snapshot and the lock: the caller looks again.
-- The epoch grows, so that whoever runs it can write no more.
-- An open suspension ends with its execution, and its waitpoints close.
-- Locks: lease, ready, parked and timer rows of the executions, then their
-- suspensions and waitpoints.
WITH wanted AS MATERIALIZED (
    SELECT w.*
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::boolean[], $10::text[], $11::text[], $12::uuid[], $13::text[])
        AS w(execution_id, ended, outcome, failure_code, failure_message, source, event, only_due,
             verb, actor, suspension_id, failure_class)
    WHERE NOT w.only_due OR (
        SELECT t.due_at FROM timer t
        WHERE t.partition = $1 AND t.execution_id = w.execution_id
          AND t.kind = 'execution_deadline') <= clock_timestamp()
),
stopped AS (
    DELETE FROM lease l
    USING wanted w CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
    ) AS found
    WHERE l.ctid = found.address AND w.suspension_id IS NULL
    RETURNING w.*, l.epoch, l.attempt, l.attempt_type, l.lease_id, l.worker_instance_id,
              l.acquired_at, l.renewals, l.retries, l.reclaims, l.replays
),
withdrawn AS (
    DELETE FROM ready r
    USING wanted w CROSS JOIN LATERAL (
        SELECT r.ctid AS address FROM ready r
        WHERE r.partition = $1 AND r.execution_id = w.execution_id OFFSET 0
    ) AS found
    WHERE r.ctid = found.address AND w.suspension_id IS NULL
    RETURNING w.*, r.epoch, r.attempts, r.retries, r.reclaims, r.replays
),
woken AS (
    DELETE FROM parked p
    USING wanted w CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = w.execution_id OFFSET 0
    ) AS found
    WHERE p.ctid = found.address
      AND (w.suspension_id IS NULL
           OR p.suspension_id = w.suspension_id AND p.wake_at <= clock_timestamp())
    RETURNING w.*, p.epoch, p.attempts, p.retries, p.reclaims, p.replays, p.state,
              CASE WHEN w.suspension_id IS NULL
                   THEN CASE w.outcome WHEN 'expired' THEN 'timed_out_expire' ELSE 'cancelled' END
                   ELSE CASE w.outcome WHEN 'expired' THEN 'timed_out_expire'
                                       WHEN 'cancelled' THEN 'timed_out_cancel'
                                       ELSE 'timed_out_fail' END
              END AS close_reason
),
unsuspended AS (
    UPDATE suspension s SET closed_at = clock_timestamp(), close_reason = k.close_reason
    FROM woken k
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = k.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address AND k.state = 'suspended'
),
closed AS (
    UPDATE waitpoint t
    SET state = 'closed', close_reason = k.close_reason, closed_at = clock_timestamp()
    FROM woken k
    CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = k.execution_id AND t.state = 'active'
        OFFSET 0
    ) AS found
    WHERE t.ctid = found.address AND k.state = 'suspended'
),
moved AS (
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1 AS epoch, attempt + 1 AS attempts, retries, reclaims, replays, attempt,
           lease_id, epoch AS lease_epoch, attempt_type, worker_instance_id, acquired_at,
           ended::attempt_end AS ended, renewals
    FROM stopped
    UNION ALL
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1, attempts, retries, reclaims, replays, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL
    FROM withdrawn
    UNION ALL
    SELECT execution_id, outcome, failure_class, failure_code, failure_message, source, event,
           verb, actor, epoch + 1, attempts, retries, reclaims, replays, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL
    FROM woken
),
disarmed AS (
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
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, epoch)
    SELECT $1, execution_id, verb, actor, failure_message, epoch FROM moved
    WHERE actor IS NOT NULL
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers)
    SELECT $1, array_agg(m.event::event_kind), array_agg(m.execution_id), array_agg(e.namespace),
           array_agg(m.epoch), array_agg(m.attempt), array_agg(m.lease_id),
           array_agg(m.worker_instance_id)
    FROM moved m
    CROSS JOIN LATERAL (
        SELECT e.namespace FROM execution e
        WHERE e.partition = $1 AND e.id = m.execution_id OFFSET 0
    ) AS e
    HAVING count(*) > 0
)
SELECT m.execution_id AS "execution_id!", m.epoch AS "epoch!", m.lease_id IS NOT NULL AS "was_active!"
FROM moved m
