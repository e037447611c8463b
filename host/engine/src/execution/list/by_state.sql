-- Finds executions by the tables that hold their states, in the order of ids from the
-- last: up to a number of rows from each table and partition.
--
-- $1 partitions
-- states: $2 whether active, $3 whether ready, $4 states of parked, $5 whether completed,
-- $6 other outcomes
-- bounds: $7 first id, $8 id before which to begin, $9 most rows that hold from one table
-- and partition, $10 most rows to look at for them in parked and finished, where rows of
-- other states lie between
--
-- A row that does not hold says how far its table was looked at, when that is where the
-- search stopped. All tables are of one snapshot, so that an execution is seen in one of
-- them even if it moves at the same time.
-- Reads lease_pkey, ready_pkey, parked_pkey, finished_pkey and finished_badly.
SELECT found.source AS "source!", p.partition, found.id AS "id!", found.holds AS "holds!"
FROM unnest($1::smallint[]) AS p(partition)
CROSS JOIN LATERAL (
    (SELECT 'lease' AS source, l.execution_id AS id, true AS holds
     FROM lease l
     WHERE $2::boolean AND l.partition = p.partition
       AND l.execution_id >= $7::uuid AND l.execution_id < $8::uuid
     ORDER BY l.execution_id DESC LIMIT $9::bigint)
    UNION ALL
    (SELECT 'ready', r.execution_id, true
     FROM ready r
     WHERE $3::boolean AND r.partition = p.partition
       AND r.execution_id >= $7 AND r.execution_id < $8
     ORDER BY r.execution_id DESC LIMIT $9)
    UNION ALL
    (SELECT 'parked', seen.id, seen.holds
     FROM (SELECT k.execution_id AS id, k.state::text = ANY ($4::text[]) AS holds,
                  row_number() OVER (ORDER BY k.execution_id DESC) AS n
           FROM parked k
           WHERE $4 <> '{}' AND k.partition = p.partition
             AND k.execution_id >= $7 AND k.execution_id < $8
           ORDER BY k.execution_id DESC LIMIT $10::bigint) AS seen
     WHERE seen.holds OR seen.n = $10
     ORDER BY seen.id DESC LIMIT $9)
    UNION ALL
    (SELECT 'finished', seen.id, seen.holds
     FROM (SELECT f.execution_id AS id, f.outcome = 'success' AS holds,
                  row_number() OVER (ORDER BY f.execution_id DESC) AS n
           FROM finished f
           WHERE $5::boolean AND f.partition = p.partition
             AND f.execution_id >= $7 AND f.execution_id < $8
           ORDER BY f.execution_id DESC LIMIT $10) AS seen
     WHERE seen.holds OR seen.n = $10
     ORDER BY seen.id DESC LIMIT $9)
) AS found
UNION ALL
SELECT o.outcome, NULL, f.execution_id, true
FROM unnest($6::text[]) AS o(outcome)
CROSS JOIN LATERAL (
    SELECT f.execution_id FROM finished f
    WHERE f.outcome = o.outcome::outcome AND f.outcome <> 'success'
      AND f.execution_id >= $7 AND f.execution_id < $8
    ORDER BY f.execution_id DESC LIMIT $9
) AS f
