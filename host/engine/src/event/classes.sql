-- Finds classes by what executions of them agree in.
--
-- $1 namespaces, $2 lanes, $3 kinds
-- Reads execution_class_is_one. Locks nothing.
SELECT c.id, c.namespace, c.lane, c.kind
FROM unnest($1::text[], $2::text[], $3::text[]) AS i(namespace, lane, kind)
CROSS JOIN LATERAL (
    SELECT c.* FROM execution_class c
    WHERE c.namespace = i.namespace AND c.lane = i.lane AND c.kind = i.kind
    OFFSET 0
) AS c
