-- Takes an execution out of its queue: waiting → blocked or rate limited.
--
-- $1 partition, $2 execution id, $3 state to park in, $4 reason, $5 detail?,
-- $6 who asks, $7 why?.
-- Locks: the ready row.
WITH taken AS (
    DELETE FROM ready WHERE partition = $1 AND execution_id = $2 RETURNING *
),
parked_now AS (
    INSERT INTO parked (partition, execution_id, state, reason, reason_detail, ready_at, lane,
                        rank, epoch, attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, $3::text::parked_state, $4::text::blocking_reason, $5, ready_at,
           lane, rank, epoch, attempts, retries, reclaims, replays, next_type, resumes
    FROM taken
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'block', $6, $7::text, $4, epoch FROM taken
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, ARRAY['blocked'::event_kind], ARRAY[t.execution_id], ARRAY[e.namespace],
           ARRAY[t.epoch]
    FROM taken t JOIN execution e ON e.partition = $1 AND e.id = t.execution_id
)
SELECT epoch FROM taken
