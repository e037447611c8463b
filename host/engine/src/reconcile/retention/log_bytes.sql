-- Estimates the rows of the event log and the bytes that one takes.
--
-- $1 last stripe, $2 pages of the table whose rows are looked at
-- Reads the first and the last row of each stripe by the primary key, from the floor on, and
-- pages that are drawn by chance. Sequence numbers are counted, so that rows need not be:
-- those of statements that failed are counted too. Locks nothing.
WITH floor AS MATERIALIZED (
    SELECT xid, seq FROM event_floor
),
ends AS (
    SELECT f.seq AS first_seq, l.seq AS last_seq
    FROM generate_series(0, $1::integer) AS stripes(stripe)
    CROSS JOIN LATERAL (
        SELECT e.seq FROM event e
        WHERE e.stripe = stripes.stripe::smallint
          AND (e.xid, e.seq) > ((SELECT xid FROM floor), (SELECT seq FROM floor))
        ORDER BY e.xid, e.seq
        LIMIT 1
    ) AS f
    CROSS JOIN LATERAL (
        SELECT e.seq FROM event e
        WHERE e.stripe = stripes.stripe::smallint
        ORDER BY e.xid DESC, e.seq DESC
        LIMIT 1
    ) AS l
),
sample AS (
    SELECT pg_column_size(e.*) AS bytes
    FROM event AS e TABLESAMPLE SYSTEM (
        least(100, $2::float8 * 100 * current_setting('block_size')::float8
                   / greatest(pg_relation_size('event'), 1)))
)
SELECT coalesce((SELECT max(last_seq) - min(first_seq) + 1 FROM ends), 0) AS "rows!",
       -- With the entry in the index, and the line of its page.
       coalesce((SELECT avg(bytes) FROM sample), 0)::float8 + 44 AS "row_bytes!"
