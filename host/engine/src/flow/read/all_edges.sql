-- Lists the edges of a flow in the order of the members they lead to.
--
-- $1 partition, $2 flow; the edge to begin after: $3 downstream member?, $4 upstream member?,
-- $5 wait?; $6 most
--
-- Walks the members, which follow in the order of their ids, and the edges into each.
-- Locks: none.
SELECT e.id AS "id!", e.upstream AS "upstream!", e.downstream AS "downstream!", e.wait AS "wait!",
       e.kind::text AS "kind!", e.data_passing_ref, e.state::text AS "state!",
       e.created_at AS "created_at!", e.created_by AS "created_by!"
FROM (
    SELECT m.execution_id FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = $2
      AND m.execution_id >= coalesce($3::uuid, repeat('0', 32)::uuid)
    ORDER BY m.execution_id
) AS m
CROSS JOIN LATERAL (
    SELECT e.* FROM flow_edge e
    WHERE e.partition = $1 AND e.downstream = m.execution_id
      AND ($3::uuid IS NULL
           OR (e.downstream, e.wait, e.upstream) > ($3::uuid, $5::integer, $4::uuid))
    ORDER BY e.wait, e.upstream
) AS e
LIMIT $6
