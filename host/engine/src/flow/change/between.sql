-- Reads which of some pairs of members an edge joins.
--
-- $1 partition; then arrays: $2 upstream, $3 downstream
-- Locks: none.
SELECT e.id AS "id!", e.upstream AS "upstream!", e.downstream AS "downstream!"
FROM unnest($2::uuid[], $3::uuid[]) AS i(upstream, downstream)
CROSS JOIN LATERAL (
    SELECT e.* FROM flow_edge e
    WHERE e.partition = $1 AND e.upstream = i.upstream AND e.downstream = i.downstream
      AND e.wait = 0 OFFSET 0
) AS e
