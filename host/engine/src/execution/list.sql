-- Lists the ids of executions, newest first.
--
-- filter: $1 namespace?, $2 kind?, $3 lane?, $4 public state?, $5 label key?, $6 label value?
-- page: $7 after (id)?, $8 at most so many rows
SELECT e.id
FROM execution e
LEFT JOIN lease l ON l.partition = e.partition AND l.execution_id = e.id
LEFT JOIN parked p ON p.partition = e.partition AND p.execution_id = e.id
LEFT JOIN finished f ON f.partition = e.partition AND f.execution_id = e.id
WHERE ($1::text IS NULL OR e.namespace = $1)
  AND ($7::uuid IS NULL OR e.id < $7)
  AND ($2::text IS NULL OR e.kind = $2)
  AND ($3::text IS NULL OR e.lane = $3)
  AND ($4::text IS NULL OR $4 = CASE
       WHEN l.execution_id IS NOT NULL THEN 'active'
       WHEN f.execution_id IS NOT NULL THEN
           CASE f.outcome WHEN 'success' THEN 'completed' ELSE f.outcome::text END
       WHEN p.execution_id IS NOT NULL THEN
           CASE p.state WHEN 'blocked' THEN 'waiting' ELSE p.state::text END
       ELSE 'waiting' END)
  AND ($5::text IS NULL OR EXISTS (
       SELECT FROM tag t WHERE t.partition = e.partition AND t.execution_id = e.id
                           AND t.key = $5 AND t.value = $6))
ORDER BY e.id DESC
LIMIT $8
