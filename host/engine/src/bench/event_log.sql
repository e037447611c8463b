-- Writes rows of the event log, each of some leases that were acquired.
--
-- $1 partition; of each row: $2 executions; $3 class of all of them; $4 rows
-- Locks nothing.
INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs, attempts,
                   lease_ids, workers)
SELECT $1::smallint, $1::smallint / 256, array_fill('acquired'::event_kind, counts.of_row), $2::uuid[],
       array_fill($3::integer, counts.of_row), array_fill(NULL::text, counts.of_row),
       array_fill(1::bigint, counts.of_row), array_fill(0, counts.of_row), $2::uuid[],
       array_fill('bench'::text, counts.of_row)
FROM generate_series(1, $4::bigint) AS n
CROSS JOIN (SELECT ARRAY[cardinality($2::uuid[])] AS of_row) AS counts
