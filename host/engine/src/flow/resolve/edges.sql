-- Reads the edges that wait for members, with the groups they belong to and where the
-- downstream member is.
--
-- $1 partition, $2 upstream members
-- Locks: none.
SELECT e.flow_id AS "flow_id!", e.upstream AS "upstream!", e.downstream AS "downstream!",
       e.wait AS "wait!", e.kind::text AS "kind!", g.policy::text AS "policy!", g.k,
       g.cancel_remaining AS "cancel_remaining!", g.total AS "total!",
       g.satisfied AS "satisfied!", g.failed AS "failed!", g.skipped AS "skipped!",
       g.state::text AS "state!", p.lane AS "lane?", x.kind AS "execution_kind!",
       x.required_capabilities, g.starts_at > clock_timestamp() AS "delayed?"
FROM unnest($2::uuid[]) AS i(id)
CROSS JOIN LATERAL (
    SELECT e.* FROM flow_edge e
    WHERE e.partition = $1 AND e.upstream = i.id AND e.state = 'pending' OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT g.* FROM flow_group g
    WHERE g.partition = $1 AND g.execution_id = e.downstream AND g.wait = e.wait OFFSET 0
) AS g
CROSS JOIN LATERAL (
    SELECT x.kind, x.required_capabilities FROM execution x
    WHERE x.partition = $1 AND x.id = e.downstream OFFSET 0
) AS x
LEFT JOIN LATERAL (
    SELECT p.lane FROM parked p
    WHERE p.partition = $1 AND p.execution_id = e.downstream AND p.state = 'waiting_children'
      -- In this group, and not in one after it or before it.
      AND p.resumes = (e.wait > 0)
      AND e.wait = (SELECT max(g.wait) FROM flow_group g
                    WHERE g.partition = $1 AND g.execution_id = e.downstream)
    OFFSET 0
) AS p ON true
