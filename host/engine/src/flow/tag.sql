-- Sets and removes labels of a flow.
--
-- $1 partition, $2 flow, $3 namespace?; labels: $4 at most so many, $5 keys, $6 values (a null
-- removes the label)
--
-- No row: no such flow. A row that says it does not fit: nothing changed.
-- Locks: the flow.
WITH existing AS (
    SELECT f.id,
           (SELECT count(*) FROM flow_tag t
            WHERE t.partition = $1 AND t.flow_id = $2 AND t.key <> ALL ($5::text[]))
           + cardinality(array_remove($6::text[], NULL)) <= $4::integer AS fits
    FROM flow f
    WHERE f.partition = $1 AND f.id = $2 AND ($3::text IS NULL OR f.namespace = $3)
    FOR NO KEY UPDATE
),
input AS (
    SELECT e.id, i.key, i.value
    FROM existing e CROSS JOIN unnest($5::text[], $6::text[]) AS i(key, value)
    WHERE e.fits
),
tags_removed AS (
    DELETE FROM flow_tag t USING input i
    WHERE i.value IS NULL AND t.partition = $1 AND t.flow_id = i.id AND t.key = i.key
),
tags AS (
    INSERT INTO flow_tag (partition, flow_id, key, value)
    SELECT $1, id, key, value FROM input WHERE value IS NOT NULL
    ON CONFLICT (partition, flow_id, key) DO UPDATE SET value = excluded.value
),
touched AS (
    UPDATE flow f SET has_tags = true, changed_at = clock_timestamp() FROM existing x
    WHERE x.fits AND f.partition = $1 AND f.id = x.id
)
SELECT fits AS "fits!" FROM existing
