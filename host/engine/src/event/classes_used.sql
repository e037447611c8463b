-- Notes that a host uses classes, unless one did so a moment ago: those are not removed for a
-- day.
--
-- $1 namespaces, $2 lanes, $3 kinds
-- Reads execution_class_is_one. Locks the rows in the order of their ids.
WITH locked AS (
    SELECT c.ctid AS address
    FROM unnest($1::text[], $2::text[], $3::text[]) AS i(namespace, lane, kind)
    CROSS JOIN LATERAL (
        SELECT c.id FROM execution_class c
        WHERE c.namespace = i.namespace AND c.lane = i.lane AND c.kind = i.kind
        OFFSET 0
    ) AS found
    JOIN execution_class c ON c.id = found.id
    WHERE c.used_at < statement_timestamp() - interval '30 minutes' OR c.unused_since IS NOT NULL
    ORDER BY c.id
    FOR NO KEY UPDATE OF c
)
UPDATE execution_class SET used_at = clock_timestamp(), unused_since = NULL
WHERE ctid = ANY (ARRAY(SELECT address FROM locked))
