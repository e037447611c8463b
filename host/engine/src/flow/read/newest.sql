-- Finds flows, newest first.
--
-- $1 partitions; nullable: $2 flow to begin before?; $3 most that are looked at; filters,
-- nullable: $4 kind?, $5 status?, $6 key and $7 value of a label?
--
-- Reads flow_pkey of each partition. A row that does not hold is where the search stands.
-- Locks: none.
WITH candidate AS MATERIALIZED (
    SELECT f.*, row_number() OVER (ORDER BY f.id DESC) AS number
    FROM (
        SELECT f.*
        FROM unnest($1::smallint[]) AS partitions(partition)
        CROSS JOIN LATERAL (
            SELECT f.partition, f.id, f.kind, f.node_count, f.ended_count, f.bad_count,
                   f.cancelled_at
            FROM flow f
            WHERE f.partition = partitions.partition
              AND f.id < coalesce($2::uuid, repeat('f', 32)::uuid)
            ORDER BY f.id DESC
            LIMIT $3
        ) AS f
        ORDER BY f.id DESC
        LIMIT $3
    ) AS f
)
SELECT c.id AS "id!", c.number AS "number!",
       (($4::text IS NULL OR c.kind = $4::text)
        AND ($5::text IS NULL OR $5::text = CASE
             WHEN c.cancelled_at IS NOT NULL THEN 'cancelled'
             WHEN c.node_count = 0 OR c.ended_count < c.node_count THEN 'active'
             WHEN c.bad_count > 0 THEN 'failed' ELSE 'completed' END)
        AND ($6::text IS NULL OR EXISTS (
             SELECT FROM flow_tag t
             WHERE t.partition = c.partition AND t.flow_id = c.id AND t.key = $6::text
               AND t.value = $7::text OFFSET 0))) AS "holds!"
FROM candidate c
ORDER BY c.number
