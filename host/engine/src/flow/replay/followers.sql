-- Reads the edges that lead away from members and are decided, with their groups and how the
-- members they lead to ended.
--
-- $1 partition, $2 upstream members
-- Locks: none.
SELECT e.upstream AS "upstream!", e.downstream AS "downstream!", e.wait AS "wait!",
       e.kind::text AS "kind!", u.outcome::text AS "outcome!", g.policy::text AS "policy!", g.k,
       g.cancel_remaining AS "cancel_remaining!", g.total AS "total!",
       g.satisfied AS "satisfied!", g.failed AS "failed!", g.skipped AS "skipped!",
       g.state::text AS "state!", d.outcome::text AS "downstream_noted?",
       t.outcome::text AS "downstream_outcome?"
FROM unnest($2::uuid[]) AS i(id)
CROSS JOIN LATERAL (
    SELECT e.* FROM flow_edge e
    WHERE e.partition = $1 AND e.upstream = i.id AND e.state <> 'pending' OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT m.outcome FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = e.flow_id AND m.execution_id = e.upstream
      AND m.outcome IS NOT NULL OFFSET 0
) AS u
CROSS JOIN LATERAL (
    SELECT g.* FROM flow_group g
    WHERE g.partition = $1 AND g.execution_id = e.downstream AND g.wait = e.wait OFFSET 0
) AS g
LEFT JOIN LATERAL (
    SELECT m.outcome FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = e.flow_id AND m.execution_id = e.downstream OFFSET 0
) AS d ON true
LEFT JOIN LATERAL (
    SELECT t.outcome FROM finished t
    WHERE t.partition = $1 AND t.execution_id = e.downstream OFFSET 0
) AS t ON true
