-- Finds executions in the order of ids from the last: up to a number from each partition.
--
-- $1 partitions
-- bounds: $2 first id, $3 id before which to begin, $4 most rows from one partition
-- Reads execution_pkey.
SELECT e.id
FROM unnest($1::smallint[]) AS p(partition)
CROSS JOIN LATERAL (
    SELECT e.id FROM execution e
    WHERE e.partition = p.partition AND e.id >= $2 AND e.id < $3
    ORDER BY e.id DESC LIMIT $4
) AS e
