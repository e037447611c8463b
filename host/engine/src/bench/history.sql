-- Writes finished executions of a history.
--
-- rows: $1 partitions, $2 ids, $3 times of creation (Unix, ms), $4 numbers, 0 the newest
WITH input AS (
    SELECT w.partition, w.id, to_timestamp(w.created_ms / 1000.0) AS created_at, w.number,
           (w.number / 25) % 5 = 0 AS failed, (w.number / 125) % 2 = 0 AS labeled
    FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::bigint[])
        AS w(partition, id, created_ms, number)
),
tags AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT partition, id, 'bench.half', 'yes' FROM input WHERE labeled
),
created AS (
    INSERT INTO execution (partition, id, namespace, lane, kind, priority, creator, input,
                           input_type, max_reclaims, has_tags, created_at)
    SELECT partition, id, 'bench-history-' || (number / 5) % 5, 'bench-history',
           'bench-kind-' || number % 5, 0, CASE WHEN number = 0 THEN 'bench-once' END,
           convert_to(repeat('input', 20), 'UTF8'), 'text/plain', 1000, labeled, created_at
    FROM input
)
INSERT INTO finished (partition, execution_id, outcome, finished_at, epoch, attempts, retries,
                      reclaims, replays, result, result_type, failure_class, failure_code,
                      failure_message, lease_id, lease_epoch, attempt_type, worker_instance_id,
                      acquired_at, ended, renewals)
SELECT partition, id, CASE WHEN failed THEN 'failed' ELSE 'success' END::outcome,
       created_at + interval '30 milliseconds', 1, 1, 0, 0, 0,
       CASE WHEN NOT failed THEN convert_to(repeat('result', 20), 'UTF8') END,
       CASE WHEN NOT failed THEN 'text/plain' END,
       CASE WHEN failed THEN 'permanent' END::failure_class,
       CASE WHEN failed THEN 'bench_failure' END, CASE WHEN failed THEN 'as asked' END,
       gen_random_uuid(), 1, 'initial', 'bench', created_at + interval '10 milliseconds',
       CASE WHEN failed THEN 'failure' ELSE 'success' END::attempt_end, 0
FROM input
