-- Changes the place of an execution in its queue: waiting or parked, as it was.
--
-- $1 partition, $2 execution id, $3 new rank (9000 − priority), $4 who
-- asks, $5 why?.
-- Without an answer it moved, or has that priority. The execution remembers it: its end and a replay keep the priority.
-- Locks: the ready or parked row, then the execution.
WITH known AS (
    SELECT r.rank FROM ready r WHERE r.partition = $1 AND r.execution_id = $2
    UNION ALL
    SELECT p.rank FROM parked p WHERE p.partition = $1 AND p.execution_id = $2
),
queued AS (
    UPDATE ready SET rank = $3 WHERE partition = $1 AND execution_id = $2 AND rank <> $3
    RETURNING epoch, execution_id
),
waiting AS (
    UPDATE parked SET rank = $3 WHERE partition = $1 AND execution_id = $2 AND rank <> $3
    RETURNING epoch, execution_id
),
moved AS (
    SELECT * FROM queued UNION ALL SELECT * FROM waiting
),
remembered AS (
    UPDATE execution e SET changed_priority = 9000 - $3::smallint
    FROM moved m WHERE e.partition = $1 AND e.id = m.execution_id
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, execution_id, 'prioritise', $4, $5::text,
           format('%s → %s', 9000 - (SELECT rank FROM known LIMIT 1), 9000 - $3::smallint), epoch
    FROM moved
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, ARRAY['prioritised'::event_kind], ARRAY[m.execution_id], ARRAY[e.namespace],
           ARRAY[m.epoch]
    FROM moved m JOIN execution e ON e.partition = $1 AND e.id = m.execution_id
)
SELECT (SELECT 9000 - rank FROM known LIMIT 1) AS "before!", epoch AS "epoch!" FROM moved
