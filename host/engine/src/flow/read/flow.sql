-- Reads flows by their ids, with their labels.
--
-- $1 partitions, $2 ids, one element each
-- Locks: none.
SELECT f.id AS "id!", f.namespace AS "namespace!", f.kind AS "kind!", f.creator, f.idempotency_key,
       f.default_policy::text AS "default_policy!", f.graph_revision AS "graph_revision!",
       f.node_count AS "node_count!", f.edge_count AS "edge_count!",
       f.ended_count AS "ended_count!", f.bad_count AS "bad_count!", f.created_at AS "created_at!",
       f.changed_at AS "changed_at!", f.ended_at, f.cancelled_at,
       f.cancel_policy::text AS cancel_policy, f.cancel_reason, f.cancelled_by,
       CASE WHEN f.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[t.key, t.value]) FROM flow_tag t
           WHERE t.partition = i.partition AND t.flow_id = f.id
           ORDER BY t.key)
       END AS tags
FROM unnest($1::smallint[], $2::uuid[]) AS i(partition, id)
CROSS JOIN LATERAL (
    SELECT f.* FROM flow f
    WHERE f.partition = i.partition AND f.id BETWEEN i.id AND i.id ORDER BY f.id LIMIT 1
) AS f
