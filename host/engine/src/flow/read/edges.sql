-- Lists edges between members of a flow, in the order of their ids.
--
-- $1 partition, $2 flow; nullable: $3 of this upstream member?, $4 of this downstream member?,
-- $5 edge to begin after?; $6 most
--
-- One of the two members is given: reads flow_edge_pkey or flow_edge_into, and sorts what it
-- finds.
-- Locks: none.
SELECT e.id AS "id!", e.upstream AS "upstream!", e.downstream AS "downstream!", e.wait AS "wait!",
       e.kind::text AS "kind!", e.data_passing_ref, e.state::text AS "state!",
       e.created_at AS "created_at!", e.created_by AS "created_by!"
FROM (
    SELECT e.* FROM flow_edge e
    WHERE $3::uuid IS NOT NULL AND e.partition = $1 AND e.upstream = $3::uuid
    UNION ALL
    SELECT e.* FROM flow_edge e
    WHERE $3::uuid IS NULL AND e.partition = $1 AND e.downstream = $4::uuid
) AS e
WHERE e.flow_id = $2 AND ($4::uuid IS NULL OR e.downstream = $4::uuid)
  AND ($5::uuid IS NULL OR e.id > $5::uuid)
ORDER BY e.id
LIMIT $6
