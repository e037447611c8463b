-- Removes frames of streams of one partition that are trimmed, the oldest first.
--
-- $1 partition
-- streams: $2 execution ids (sorted), $3 attempts
-- $4 most frames of each mode of a stream
--
-- Reads stream_pkey, and stream_frame_pkey from the last frame that was removed, so that
-- removed rows which cannot be vacuumed yet are not read again. The numbers of a mode have
-- no gap, so the search ends at the last one.
-- Locks: the streams. One that another statement changes meanwhile is left as it is.
WITH candidate AS MATERIALIZED (
    SELECT s.address, s.execution_id, s.attempt, m.mode, m.removed_place,
           least(m.trimmed, m.removed + $4) AS up_to, least(m.trimmed - m.removed, $4) AS excess
    FROM unnest($2::uuid[], $3::integer[]) AS i(execution_id, attempt)
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address, s.* FROM stream s
        WHERE s.partition = $1 AND s.execution_id = i.execution_id AND s.attempt = i.attempt
        OFFSET 0
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('durable'::frame_mode, s.durable_trimmed, s.durable_removed, s.durable_removed_place),
        ('durable_summary', s.summary_trimmed, s.summary_removed, s.summary_removed_place),
        ('best_effort', s.best_effort_trimmed, s.best_effort_removed,
         s.best_effort_removed_place)
    ) AS m(mode, trimmed, removed, removed_place)
    WHERE m.trimmed > m.removed
),
excess AS MATERIALIZED (
    SELECT c.address AS stream, f.address, c.mode, c.up_to, f.place
    FROM candidate c
    LEFT JOIN LATERAL (
        SELECT f.ctid AS address, f.place FROM stream_frame f
        WHERE f.partition = $1 AND f.execution_id = c.execution_id AND f.attempt = c.attempt
          AND f.mode = c.mode AND f.place > c.removed_place AND f.ordinal <= c.up_to
        ORDER BY f.place LIMIT c.excess
    ) AS f ON true
),
reached AS (
    SELECT stream,
           max(up_to) FILTER (WHERE mode = 'durable') AS durable,
           max(place) FILTER (WHERE mode = 'durable') AS durable_place,
           max(up_to) FILTER (WHERE mode = 'durable_summary') AS summary,
           max(place) FILTER (WHERE mode = 'durable_summary') AS summary_place,
           max(up_to) FILTER (WHERE mode = 'best_effort') AS best_effort,
           max(place) FILTER (WHERE mode = 'best_effort') AS best_effort_place
    FROM excess GROUP BY stream
),
streams_changed AS (
    UPDATE stream s
    SET durable_removed = coalesce(r.durable, s.durable_removed),
        durable_removed_place = coalesce(r.durable_place, s.durable_removed_place),
        summary_removed = coalesce(r.summary, s.summary_removed),
        summary_removed_place = coalesce(r.summary_place, s.summary_removed_place),
        best_effort_removed = coalesce(r.best_effort, s.best_effort_removed),
        best_effort_removed_place = coalesce(r.best_effort_place, s.best_effort_removed_place)
    FROM reached r WHERE s.ctid = r.stream
    RETURNING r.stream, s.durable_trimmed - s.durable_removed + s.summary_trimmed
              - s.summary_removed + s.best_effort_trimmed - s.best_effort_removed AS excess
),
frames_removed AS (
    DELETE FROM stream_frame WHERE ctid = ANY (ARRAY(
        SELECT e.address FROM excess e
        WHERE e.stream = ANY (ARRAY(SELECT stream FROM streams_changed))))
    RETURNING 1
)
SELECT (SELECT count(*) FROM frames_removed) AS "removed!",
       (SELECT coalesce(sum(excess), 0)::bigint FROM streams_changed) AS "excess!"
