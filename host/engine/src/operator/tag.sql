-- Sets and removes labels of an execution, in any state.
--
-- $1 partition, $2 execution id, $3 namespace?
-- operation: $4 actor, $5 reason?
-- labels: $6 at most so many, $7 keys, $8 values (a null removes the label)
--
-- No row: no such execution. A row that says it does not fit: nothing changed.
-- Concurrent calls may exceed the bound by what they add together.
-- Locks: the tag rows; the execution row when it gets its first label.
WITH existing AS (
    SELECT e.id, e.class_id, e.namespace,
           coalesce((SELECT l.epoch FROM lease l WHERE l.partition = $1 AND l.execution_id = $2),
                    (SELECT r.epoch FROM ready r WHERE r.partition = $1 AND r.execution_id = $2),
                    (SELECT p.epoch FROM parked p WHERE p.partition = $1 AND p.execution_id = $2),
                    (SELECT f.epoch FROM finished f WHERE f.partition = $1 AND f.execution_id = $2),
                    0) AS epoch,
           (SELECT count(*) FROM tag t
            WHERE t.partition = $1 AND t.execution_id = $2 AND t.key <> ALL ($7::text[]))
           + cardinality(array_remove($8::text[], NULL)) <= $6::integer AS fits
    FROM execution e
    WHERE e.partition = $1 AND e.id = $2 AND ($3::text IS NULL OR e.namespace = $3)
),
input AS (
    SELECT e.id, e.class_id, e.namespace, e.epoch, i.key, i.value
    FROM existing e CROSS JOIN unnest($7::text[], $8::text[]) AS i(key, value)
    WHERE e.fits
),
tags_removed AS (
    DELETE FROM tag t USING input i
    WHERE i.value IS NULL AND t.partition = $1 AND t.execution_id = i.id AND t.key = i.key
),
tags AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT $1, id, key, value FROM input WHERE value IS NOT NULL
    ON CONFLICT (partition, execution_id, key) DO UPDATE SET value = excluded.value
),
executions_tagged AS (
    UPDATE execution e SET has_tags = true FROM existing x
    WHERE x.fits AND e.partition = $1 AND e.id = x.id AND NOT e.has_tags
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, id, 'tag', $4, $5::text,
           string_agg(key || coalesce('=' || value, ' removed'), ', '), epoch
    FROM input GROUP BY id, epoch
),
happened AS (
    SELECT CASE WHEN value IS NULL THEN 'cleared'::event_kind ELSE 'tagged'::event_kind END AS kind,
           id AS execution_id, class_id, namespace, epoch, NULL::integer AS attempt,
           NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           concat_ws('=', key, value) AS detail
    FROM input
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, array_agg(kind), array_agg(execution_id), array_agg(class_id),
           array_agg(CASE WHEN class_id IS NULL THEN namespace END), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(worker_instance_id),
           CASE WHEN count(detail) > 0 THEN array_agg(detail) END
    FROM happened
    HAVING count(*) > 0
)
SELECT fits AS "fits!" FROM existing
