-- Finds executions by their kind, in the order of ids from the last.
--
-- $1 kind
-- bounds: $2 first id, $3 id before which to begin, $4 most rows
-- Reads execution_by_kind.
SELECT e.id FROM execution e
WHERE e.kind COLLATE "C" = $1 AND e.id >= $2 AND e.id < $3
ORDER BY e.id DESC LIMIT $4
