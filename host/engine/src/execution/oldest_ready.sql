-- Finds how long the execution that has been ready longest has been so, in milliseconds;
-- null if none is ready.
--
-- $1 partitions, $2 most steps in each
--
-- Steps along ready_queue from one lane, namespace, kind and rank to the next with one
-- probe each: the first of each is the one that has been ready longest. Locks nothing.
WITH RECURSIVE heads(partition, lane, namespace, kind, rank, ready_at, step) AS (
    SELECT q.partition, first.lane, first.namespace, first.kind, first.rank,
           first.ready_at, 1
    FROM unnest($1::smallint[]) AS q(partition)
    CROSS JOIN LATERAL (
        SELECT r.lane, r.namespace, r.kind, r.rank, r.ready_at FROM ready r
        WHERE r.partition = q.partition
        ORDER BY r.lane, r.namespace, r.kind, r.rank, r.ready_at
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT h.partition, following.lane, following.namespace, following.kind,
           following.rank, following.ready_at, h.step + 1
    FROM heads h
    CROSS JOIN LATERAL (
        SELECT r.lane, r.namespace, r.kind, r.rank, r.ready_at FROM ready r
        WHERE r.partition = h.partition
          AND (r.lane, r.namespace, r.kind, r.rank)
              > (h.lane, h.namespace, h.kind, h.rank)
        ORDER BY r.lane, r.namespace, r.kind, r.rank, r.ready_at
        LIMIT 1
    ) AS following
    WHERE h.step < $2::integer
)
SELECT (extract(epoch FROM clock_timestamp() - min(ready_at)) * 1000)::bigint AS oldest_ms
FROM heads
WHERE isfinite(ready_at)
