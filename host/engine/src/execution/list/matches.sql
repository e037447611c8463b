-- Says for which executions a filter holds.
--
-- executions, one element each: $1 partitions, $2 ids
-- of the execution: $3 namespace?, $4 kind?, $5 lane?, $6 creator?, $7 created at or
-- after?, $8 created before?
-- label: $9 key?, $10 value?
-- states: $11 whether any holds; else those given by: $12 whether active, $13 whether
-- ready, $14 states of parked, $15 outcomes, $16 ended at or after?, $17 ended before?
--
-- Looks up primary keys, as `info.sql` does; labels and tables of states only where the
-- filter asks for them.
SELECT e.id AS "id!"
FROM unnest($1::smallint[], $2::uuid[]) AS i(partition, id)
CROSS JOIN LATERAL (
    SELECT e.id FROM execution e
    WHERE e.partition = i.partition AND e.id BETWEEN i.id AND i.id
      AND ($3::text IS NULL OR e.namespace = $3)
      AND ($4::text IS NULL OR e.kind = $4)
      AND ($5::text IS NULL OR e.lane = $5)
      AND ($6::text IS NULL OR e.creator = $6)
      AND ($7::timestamptz IS NULL OR e.created_at >= $7)
      AND ($8::timestamptz IS NULL OR e.created_at < $8)
    ORDER BY e.id LIMIT 1
) AS e
WHERE ($9::text IS NULL OR EXISTS (
           SELECT FROM tag t
           WHERE t.partition = i.partition AND t.execution_id BETWEEN i.id AND i.id
             AND t.key = $9 AND t.value = $10
           ORDER BY t.execution_id OFFSET 0))
  AND ($11::boolean
       OR $15::text[] <> '{}' AND EXISTS (
           SELECT FROM finished f
           WHERE f.partition = i.partition AND f.execution_id BETWEEN i.id AND i.id
             AND f.outcome::text = ANY ($15)
             AND ($16::timestamptz IS NULL OR f.finished_at >= $16)
             AND ($17::timestamptz IS NULL OR f.finished_at < $17)
           ORDER BY f.execution_id OFFSET 0)
       OR $12::boolean AND EXISTS (
           SELECT FROM lease l
           WHERE l.partition = i.partition AND l.execution_id BETWEEN i.id AND i.id
           ORDER BY l.execution_id OFFSET 0)
       OR $13::boolean AND EXISTS (
           SELECT FROM ready r
           WHERE r.partition = i.partition AND r.execution_id BETWEEN i.id AND i.id
           ORDER BY r.execution_id OFFSET 0)
       OR $14::text[] <> '{}' AND EXISTS (
           SELECT FROM parked k
           WHERE k.partition = i.partition AND k.execution_id BETWEEN i.id AND i.id
             AND k.state::text = ANY ($14)
           ORDER BY k.execution_id OFFSET 0))
