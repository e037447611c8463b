-- Reads signals as their receivers see them, in the order they were accepted.
--
-- $1 partition; arrays, one element per execution: $2 execution ids, $3 ids of its
-- signals (comma separated); $4 most bytes that the signals of one execution bring
-- together; the first of them is always there. Locks nothing.
SELECT w.execution_id AS "execution_id!", g.id AS "id!", g.waitpoint_id AS "waitpoint_id!",
       t.key AS "waitpoint_key!", g.name AS "name!", g.category, g.source_type AS "source_type!",
       g.source_identity AS "source_identity!", g.correlation_id, g.payload, g.payload_type,
       g.accepted_at AS "accepted_at!"
FROM unnest($2::uuid[], $3::text[]) AS w(execution_id, list)
-- Once for each execution, not for each of its signals.
CROSS JOIN LATERAL (SELECT string_to_array(w.list, ',')::uuid[] AS ids OFFSET 0) AS wanted
CROSS JOIN LATERAL (
    SELECT g.*,
           sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
               - coalesce(octet_length(g.payload), 0) AS before
    FROM signal g
    WHERE g.partition = $1 AND g.execution_id = w.execution_id
      AND g.id = ANY (wanted.ids)
    ORDER BY g.seq
) AS g
CROSS JOIN LATERAL (
    SELECT t.key FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = w.execution_id AND t.id = g.waitpoint_id OFFSET 0
) AS t
WHERE g.before < $4::bigint
ORDER BY w.execution_id, g.seq
