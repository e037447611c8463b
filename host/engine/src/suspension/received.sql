-- Reads the signals that satisfied suspensions of one partition, as their receivers
-- see them, in the order they were accepted.
--
-- $1 partition, $2 execution ids, $3 suspension ids, absent for the last one of the
-- life that goes on; $4 how many of each are left out, $5 how many are read at most,
-- $6 most bytes that those of one suspension bring together; the first of them is
-- always there. Locks nothing.
SELECT w.execution_id AS "execution_id!", g.id AS "id!", g.waitpoint_id AS "waitpoint_id!",
       t.key AS "waitpoint_key!", g.name AS "name!", g.category, g.source_type AS "source_type!",
       g.source_identity AS "source_identity!", g.correlation_id, g.payload, g.payload_type,
       g.accepted_at AS "accepted_at!"
FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, suspension_id)
CROSS JOIN LATERAL (
    SELECT s.satisfiers[$4::integer + 1 : $4::integer + $5::integer] AS ids, s.replays
    FROM suspension s
    WHERE s.partition = $1 AND s.execution_id = w.execution_id
      AND (w.suspension_id IS NULL OR s.id = w.suspension_id)
    ORDER BY s.seq DESC LIMIT 1
) AS s
CROSS JOIN LATERAL (
    SELECT g.*,
           sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
               - coalesce(octet_length(g.payload), 0) AS before
    FROM signal g
    WHERE g.partition = $1 AND g.execution_id = w.execution_id AND g.id = ANY (s.ids)
    ORDER BY g.seq
) AS g
CROSS JOIN LATERAL (
    SELECT t.key FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = w.execution_id AND t.id = g.waitpoint_id OFFSET 0
) AS t
WHERE g.before < $6::bigint
  AND (w.suspension_id IS NOT NULL
       OR s.replays = (SELECT l.replays FROM lease l
                       WHERE l.partition = $1 AND l.execution_id = w.execution_id))
ORDER BY w.execution_id, g.seq
