-- Reads what a change of one flow is decided on.
--
-- $1 partition, $2 flow, $3 executions that the change names, $4 names of members
--
-- The first row is the flow itself, without an execution; then a row for each execution of
-- the instance that is named. Where a member has a name that is asked for, its row has it.
-- Locks: none.
SELECT f.version AS "version?", f.graph_revision AS "graph_revision?",
       f.node_count AS "node_count?", f.edge_count AS "edge_count?",
       f.cancelled_at IS NOT NULL AS "cancelled?",
       NULL::uuid AS "execution_id?", NULL::text AS "execution_namespace?",
       NULL::uuid AS "flow_id?", NULL::text AS "name?", NULL::bytea AS "request_digest?",
       NULL::text AS "state?", NULL::integer AS "attempts?", NULL::text AS "group_policy?",
       NULL::integer AS "group_k?", NULL::boolean AS "group_cancel_remaining?",
       NULL::integer AS "group_total?", NULL::integer AS "group_satisfied?",
       NULL::integer AS "group_failed?", NULL::integer AS "group_skipped?",
       NULL::text AS "group_state?"
FROM flow f
WHERE f.partition = $1 AND f.id = $2
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, e.id, e.namespace, e.flow_id, m.name, m.request_digest,
       CASE WHEN t.outcome IS NOT NULL THEN 'terminal' WHEN l.attempt IS NOT NULL THEN 'active'
            WHEN p.state IS NOT NULL THEN p.state::text ELSE 'waiting' END,
       coalesce(l.attempt + 1, p.attempts, r.attempts, 0), g.policy::text, g.k,
       g.cancel_remaining, g.total, g.satisfied, g.failed, g.skipped, g.state::text
FROM (
    SELECT id FROM unnest($3::uuid[]) AS named(id)
    UNION
    SELECT m.execution_id
    FROM unnest($4::text[]) AS named(name)
    CROSS JOIN LATERAL (
        SELECT m.execution_id FROM flow_member m
        WHERE m.partition = $1 AND m.flow_id = $2 AND m.name = named.name OFFSET 0
    ) AS m
) AS i
CROSS JOIN LATERAL (
    SELECT e.id, e.namespace, e.flow_id FROM execution e
    WHERE e.partition = $1 AND e.id = i.id OFFSET 0
) AS e
LEFT JOIN LATERAL (
    SELECT m.name, m.request_digest FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = $2 AND m.execution_id = i.id OFFSET 0
) AS m ON true
LEFT JOIN LATERAL (
    SELECT f.outcome FROM finished f
    WHERE f.partition = $1 AND f.execution_id = i.id OFFSET 0
) AS t ON true
LEFT JOIN LATERAL (
    SELECT l.attempt FROM lease l WHERE l.partition = $1 AND l.execution_id = i.id OFFSET 0
) AS l ON true
LEFT JOIN LATERAL (
    SELECT p.state, p.attempts FROM parked p
    WHERE p.partition = $1 AND p.execution_id = i.id OFFSET 0
) AS p ON true
LEFT JOIN LATERAL (
    SELECT r.attempts FROM ready r WHERE r.partition = $1 AND r.execution_id = i.id OFFSET 0
) AS r ON true
LEFT JOIN LATERAL (
    SELECT g.* FROM flow_group g
    WHERE g.partition = $1 AND g.execution_id = i.id AND g.wait = 0 OFFSET 0
) AS g ON true
