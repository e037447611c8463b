-- Reads the state of one execution, for a verb that needs no fence.
--
-- $1 partition, $2 execution id, $3 namespace?. Locks nothing.
SELECT e.policy, e.lane, e.flow_id, e.max_reclaims,
       l.lease_id AS "lease_id?", l.epoch AS "lease_epoch?", l.attempt AS "attempt?",
       l.retries AS "retries?", l.reclaims AS "reclaims?",
       p.state::text AS parked_state, p.reason::text AS reason,
       p.suspension_id AS "suspension_id?",
       f.outcome::text AS outcome,
       coalesce(l.replays, p.replays, f.replays, r.replays, 0) AS "replays!",
       (9000 - coalesce(l.rank, r.rank, p.rank,
                        9000 - coalesce(e.changed_priority, e.priority)))::smallint AS "priority!",
       coalesce(l.epoch, p.epoch, f.epoch, r.epoch, 0) AS "epoch!"
FROM execution e
LEFT JOIN ready r ON r.partition = e.partition AND r.execution_id = e.id
LEFT JOIN lease l ON l.partition = e.partition AND l.execution_id = e.id
LEFT JOIN parked p ON p.partition = e.partition AND p.execution_id = e.id
LEFT JOIN finished f ON f.partition = e.partition AND f.execution_id = e.id
WHERE e.partition = $1 AND e.id = $2 AND ($3::text IS NULL OR e.namespace = $3)
