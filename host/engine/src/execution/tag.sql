-- Sets and removes labels of an execution, whatever state it is in.
--
-- $1 partition, $2 execution id, $3 namespace?, $4 keys, $5 values (a null
-- removes the label), $6 most labels, $7 who asks, $8 why?.
--
-- No row: no such execution. A row that says it does not fit: nothing changed.
-- Callers that meet may exceed the bound by what they add together.
-- Locks: the tag rows; the execution row when it gets its first label.
WITH target AS (
    SELECT e.id, e.namespace,
           coalesce((SELECT l.epoch FROM lease l WHERE l.partition = $1 AND l.execution_id = $2),
                    (SELECT r.epoch FROM ready r WHERE r.partition = $1 AND r.execution_id = $2),
                    (SELECT p.epoch FROM parked p WHERE p.partition = $1 AND p.execution_id = $2),
                    (SELECT f.epoch FROM finished f WHERE f.partition = $1 AND f.execution_id = $2),
                    0) AS epoch,
           (SELECT count(*) FROM tag t
            WHERE t.partition = $1 AND t.execution_id = $2 AND t.key <> ALL ($4::text[]))
           + cardinality(array_remove($5::text[], NULL)) <= $6::integer AS fits
    FROM execution e
    WHERE e.partition = $1 AND e.id = $2 AND ($3::text IS NULL OR e.namespace = $3)
),
wanted AS (
    SELECT t.id, t.namespace, t.epoch, w.key, w.value
    FROM target t CROSS JOIN unnest($4::text[], $5::text[]) AS w(key, value)
    WHERE t.fits
),
removed AS (
    DELETE FROM tag t USING wanted w
    WHERE w.value IS NULL AND t.partition = $1 AND t.execution_id = w.id AND t.key = w.key
),
written AS (
    INSERT INTO tag (partition, execution_id, key, value)
    SELECT $1, id, key, value FROM wanted WHERE value IS NOT NULL
    ON CONFLICT (partition, execution_id, key) DO UPDATE SET value = excluded.value
),
marked AS (
    UPDATE execution e SET has_tags = true FROM target t
    WHERE t.fits AND e.partition = $1 AND e.id = t.id AND NOT e.has_tags
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, id, 'tag', $7, $8::text,
           string_agg(key || coalesce('=' || value, ' removed'), ', '), epoch
    FROM wanted GROUP BY id, epoch
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs)
    SELECT $1, ARRAY['tagged'::event_kind], ARRAY[id], ARRAY[namespace], ARRAY[epoch]
    FROM target WHERE fits
)
SELECT fits AS "fits!" FROM target
