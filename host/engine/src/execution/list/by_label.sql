-- Finds executions by a label, in the order of ids from the last.
--
-- label: $1 key, $2 value
-- bounds: $3 first id, $4 id before which to begin, $5 most rows
-- Reads tag_by_value.
SELECT t.execution_id FROM tag t
WHERE t.key = $1 AND t.value = $2 AND t.execution_id >= $3 AND t.execution_id < $4
ORDER BY t.execution_id DESC LIMIT $5
