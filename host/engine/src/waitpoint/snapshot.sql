-- Reads what executions of one partition wait for.
--
-- $1 partition, $2 execution ids; closed waitpoints that are read as well: $3 executions and
-- $4 ids, $5 executions and $6 keys, of each key the last. Besides these, the waitpoints read
-- are the open ones and those of an open suspension, which an operator may have closed: all
-- by indexes, since an execution may have closed any number of others. Its unconsumed signals come in the order they were accepted. An id that is
-- not of an execution has a row too. `changes` and `signals` are the guards that tell a
-- write whether this is still true.
-- Locks: none.
WITH existing AS MATERIALIZED (
    SELECT t.* FROM unnest($3::uuid[], $4::uuid[]) AS n(execution_id, id)
    CROSS JOIN LATERAL (
        SELECT t.* FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = n.execution_id AND t.id = n.id OFFSET 0
    ) AS t
    WHERE t.state IN ('closed', 'expired')
    UNION ALL
    SELECT t.* FROM unnest($5::uuid[], $6::text[]) AS n(execution_id, key)
    CROSS JOIN LATERAL (
        SELECT t.* FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = n.execution_id AND t.key = n.key
          AND t.state IN ('closed', 'expired')
        ORDER BY t.created_at DESC LIMIT 1
    ) AS t
)
SELECT w.execution_id AS "execution_id!", e.namespace AS "namespace?", e.kind AS "kind?",
       e.creator AS "creator?",
       e.policy AS "policy?", p.lane AS "lane?",
       (SELECT q.state::text FROM lane q WHERE q.name = p.lane) AS lane_state,
       f.outcome::text AS outcome,
       coalesce(l.epoch, p.epoch, r.epoch, f.epoch, 0) AS "epoch!",
       p.suspension_id AS "suspension_id?", p.changes AS "changes?",
       coalesce(p.wake_at <= clock_timestamp(), false) AS "is_due!",
       s.condition AS "condition?", s.resume_policy,
       (SELECT count(*) FROM signal g
        WHERE g.partition = $1 AND g.execution_id = w.execution_id
          AND g.seq > coalesce(e.last_signal_before, 0)) AS "accepted!",
       t.ids AS "waitpoint_ids?", t.keys AS "waitpoint_keys?", t.states AS "waitpoint_states?",
       t.reasons AS "waitpoint_reasons?: Vec<Option<String>>",
       t.signals AS "waitpoint_signals?", t.expired AS "waitpoint_expired?",
       t.of_suspension AS "of_suspension?",
       g.ids AS "received_ids?", g.waitpoint_ids AS "received_at?", g.names AS "received_names?",
       g.source_types AS "received_source_types?",
       g.source_identities AS "received_source_identities?",
       ARRAY(SELECT kid FROM accepted_waitpoint_key) AS "kids!",
       clock_timestamp() AS "now!"
FROM unnest($2::uuid[]) AS w(execution_id)
LEFT JOIN LATERAL (
    SELECT e.namespace, e.kind, e.creator, e.policy, e.last_signal_before FROM execution e
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
    SELECT p.epoch, p.lane, p.suspension_id, p.changes, p.wake_at FROM parked p
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
           array_agg(t.id) FILTER (WHERE t.suspension_id = p.suspension_id) AS of_suspension
    FROM (SELECT t.* FROM waitpoint t
          WHERE t.partition = $1 AND t.execution_id = w.execution_id
            AND t.state IN ('pending', 'active')
          UNION ALL
          SELECT t.* FROM waitpoint t
          WHERE t.partition = $1 AND t.execution_id = w.execution_id
            AND t.suspension_id = p.suspension_id AND t.close_reason = 'proactive_close'
          UNION ALL
          SELECT t.* FROM existing t WHERE t.execution_id = w.execution_id
          ORDER BY created_at) AS t
) AS t ON true
LEFT JOIN LATERAL (
    SELECT array_agg(g.id) AS ids, array_agg(g.waitpoint_id) AS waitpoint_ids,
           array_agg(g.name) AS names, array_agg(g.source_type) AS source_types,
           array_agg(g.source_identity) AS source_identities
    FROM (SELECT g.* FROM signal g
          WHERE g.partition = $1 AND g.execution_id = w.execution_id
            AND g.waitpoint_id = ANY (t.of_suspension) AND NOT g.spent
            AND p.suspension_id IS NOT NULL
          ORDER BY g.seq) AS g
) AS g ON true
