-- Reads what executions of one partition wait for.
--
-- $1 partition, $2 execution ids; closed waitpoints are left out but for those of an
-- open suspension and those named by $3 ids or $4 keys. An id that is no execution has a row too. Locks
-- nothing; `changes` and `signals` tell a write whether this is still true.
SELECT w.execution_id AS "execution_id!", e.namespace AS "namespace?", e.policy,
       f.outcome::text AS outcome,
       coalesce(l.epoch, p.epoch, r.epoch, f.epoch, 0) AS "epoch!",
       p.suspension_id AS "suspension_id?", p.changes AS "changes?",
       coalesce(p.wake_at <= clock_timestamp(), false) AS "is_due!",
       s.condition AS "condition?", s.resume_policy,
       (SELECT count(*) FROM signal g
        WHERE g.partition = $1 AND g.execution_id = w.execution_id) AS "accepted!",
       t.ids AS "waitpoint_ids?", t.keys AS "waitpoint_keys?", t.states AS "waitpoint_states?",
       t.reasons AS "waitpoint_reasons?: Vec<Option<String>>",
       t.signals AS "waitpoint_signals?", t.expired AS "waitpoint_expired?",
       t.waited AS "waitpoint_waited?",
       ARRAY(SELECT kid FROM accepted_waitpoint_key) AS "kids!",
       clock_timestamp() AS "now!"
FROM unnest($2::uuid[]) AS w(execution_id)
LEFT JOIN LATERAL (
    SELECT e.namespace, e.policy FROM execution e
    WHERE e.partition = $1 AND e.id = w.execution_id OFFSET 0
) AS e ON true
LEFT JOIN LATERAL (
    SELECT l.epoch FROM lease l
    WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
) AS l ON true
LEFT JOIN LATERAL (
    SELECT r.epoch FROM ready r
    WHERE r.partition = $1 AND r.execution_id = w.execution_id OFFSET 0
) AS r ON true
LEFT JOIN LATERAL (
    SELECT p.epoch, p.suspension_id, p.changes, p.wake_at FROM parked p
    WHERE p.partition = $1 AND p.execution_id = w.execution_id OFFSET 0
) AS p ON true
LEFT JOIN LATERAL (
    SELECT f.outcome, f.epoch FROM finished f
    WHERE f.partition = $1 AND f.execution_id = w.execution_id OFFSET 0
) AS f ON true
LEFT JOIN LATERAL (
    SELECT s.condition, s.resume_policy FROM suspension s
    WHERE s.partition = $1 AND s.execution_id = w.execution_id AND s.closed_at IS NULL OFFSET 0
) AS s ON true
LEFT JOIN LATERAL (
    SELECT array_agg(t.id) AS ids, array_agg(t.key) AS keys,
           array_agg(t.state::text) AS states, array_agg(t.close_reason) AS reasons,
           array_agg(t.signals) AS signals,
           array_agg(coalesce(t.expires_at <= clock_timestamp(), false)) AS expired,
           array_agg(coalesce(t.suspension_id = p.suspension_id, false)) AS waited
    FROM (SELECT t.* FROM waitpoint t
          WHERE t.partition = $1 AND t.execution_id = w.execution_id
            AND (t.state IN ('pending', 'active') OR t.suspension_id = p.suspension_id
                 OR t.id = ANY ($3) OR t.key = ANY ($4))
          ORDER BY t.created_at) AS t
) AS t ON true
