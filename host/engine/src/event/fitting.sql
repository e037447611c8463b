-- Which of some executions are members of a flow, and have a label with a value.
--
-- $1 partitions, $2 executions; nullable: $3 flow?, $4 key?, $5 value?
-- Those that were removed are asked what they had last. Looks up primary keys at every size
-- of the tables, as `info.sql` does. Locks nothing.
SELECT DISTINCT i.execution_id AS "execution_id!"
FROM unnest($1::smallint[], $2::uuid[]) AS i(partition, execution_id)
LEFT JOIN LATERAL (
    SELECT e.flow_id FROM execution e
    WHERE e.partition = i.partition AND e.id BETWEEN i.execution_id AND i.execution_id
    ORDER BY e.id LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (
    SELECT t.value FROM tag t
    WHERE t.partition = i.partition
      AND t.execution_id BETWEEN i.execution_id AND i.execution_id AND t.key = $4::text
    ORDER BY t.execution_id LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT r.flow_id, r.tag_values[array_position(r.tag_keys, $4::text)] AS value
    FROM removed_execution r
    WHERE r.partition = i.partition AND r.execution_id = i.execution_id OFFSET 0
) AS r ON true
WHERE ($3::uuid IS NULL OR coalesce(e.flow_id, r.flow_id) = $3::uuid)
  AND ($4::text IS NULL OR coalesce(t.value, r.value) = $5::text)
