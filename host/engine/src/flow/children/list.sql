-- Reads the children of an execution in the order in which they were started, and how they
-- ended.
--
-- $1 partition, $2 parent
-- Locks: none.
SELECT f.id AS "flow_id!", f.version AS "version!", m.execution_id AS "execution_id?", m.name,
       t.outcome::text AS outcome, t.result_type, t.result_bytes AS "result_bytes?",
       t.failure_class::text AS failure_class, t.failure_code, t.failure_message,
       coalesce((SELECT max(g.wait) FROM flow_group g
                 WHERE g.partition = $1 AND g.execution_id = $2), 0) AS "waits!"
FROM (
    SELECT e.flow_id FROM execution e WHERE e.partition = $1 AND e.id = $2 OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT f.id, f.version FROM flow f WHERE f.partition = $1 AND f.id = e.flow_id OFFSET 0
) AS f
LEFT JOIN LATERAL (
    SELECT m.execution_id, m.name FROM flow_member m
    WHERE m.partition = $1 AND m.parent_id = $2 OFFSET 0
) AS m ON true
LEFT JOIN LATERAL (
    SELECT t.outcome, t.result_type, octet_length(t.result) AS result_bytes, t.failure_class,
           t.failure_code, t.failure_message
    FROM finished t
    WHERE t.partition = $1 AND t.execution_id = m.execution_id OFFSET 0
) AS t ON true
ORDER BY m.execution_id
