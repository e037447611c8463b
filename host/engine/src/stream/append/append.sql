-- Appends frames to streams of one partition, each under its lease.
--
-- $1 partition; then arrays, nullable where marked?
-- streams: $2 execution ids (sorted, distinct), $3 attempts, $4 lease ids, $5 epochs,
-- $6 place? of the last frame, null where there is no stream yet
-- frames of each mode, of each stream: $7 durable ones, $8 the most of those before that
-- are trimmed, counted from the first that is appended?, $9 and $10 summaries, $11 and $12
-- of best effort
-- kept: $13 time to live of best effort (ms)?, $14 of the stream (ms)?, $15 time until
-- something is due for removal (ms)?
-- summaries: $16 document?
-- frames: $17 execution ids, $18 how many of the stream follow, $19 modes, $20 how many of
-- the mode follow, $21 tokens, $22 times?, $23 types, $24 payloads, $25 whether text,
-- $26 metadata?, $27 correlation ids?, $28 sources?
--
-- A stream that is not in the answer is as it was: its lease is not held, or another append
-- came first.
-- An id is greater than the last one, also when the clock does not advance. The end of a lease deletes
-- its row and waits for this statement, so nothing is appended after it.
-- Locks: the lease rows, for share of their keys, which renewals do not conflict with; then
-- the streams.
WITH input AS (
    SELECT i.*, found.address
    FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                $13::integer[], $14::bigint[], $15::bigint[], $16::bytea[])
        AS i(execution_id, attempt, lease_id, epoch, place, durable, durable_trim, summary,
             summary_trim, best_effort, best_effort_trim, best_effort_ttl_ms, ttl_ms, due_ms,
             document)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
),
locked AS MATERIALIZED (
    SELECT i.* FROM input i JOIN lease l ON l.ctid = i.address
    WHERE l.lease_id = i.lease_id AND l.epoch = i.epoch AND l.attempt = i.attempt
      AND l.expires_at > clock_timestamp()
    ORDER BY i.execution_id
    FOR KEY SHARE OF l
),
streams AS (
    INSERT INTO stream (partition, execution_id, attempt, place, durable, durable_trimmed,
                        summary, summary_trimmed, best_effort, best_effort_trimmed,
                        best_effort_ttl_ms, ttl_ms, due_at)
    SELECT $1, h.execution_id, h.attempt,
           (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint << 20)
               + h.durable + h.summary + h.best_effort - 1,
           h.durable, greatest(0, h.durable_trim), h.summary, greatest(0, h.summary_trim),
           h.best_effort, greatest(0, h.best_effort_trim), h.best_effort_ttl_ms, h.ttl_ms,
           clock_timestamp() + h.due_ms * interval '1 millisecond'
    FROM locked h WHERE h.place IS NULL
    ON CONFLICT DO NOTHING
    RETURNING execution_id, attempt, place, durable, summary, best_effort, 0 AS excess
),
streams_changed AS (
    UPDATE stream s
    SET place = greatest(s.place + 1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint << 20)
            + h.durable + h.summary + h.best_effort - 1,
        durable = s.durable + h.durable,
        durable_trimmed = greatest(s.durable_trimmed, s.durable + h.durable_trim),
        summary = s.summary + h.summary,
        summary_trimmed = greatest(s.summary_trimmed, s.summary + h.summary_trim),
        best_effort = s.best_effort + h.best_effort,
        best_effort_trimmed = greatest(s.best_effort_trimmed, s.best_effort + h.best_effort_trim),
        best_effort_ttl_ms = coalesce(h.best_effort_ttl_ms, s.best_effort_ttl_ms),
        due_at = least(s.due_at, clock_timestamp() + h.due_ms * interval '1 millisecond')
    FROM locked h CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM stream s
        WHERE s.partition = $1 AND s.execution_id = h.execution_id AND s.attempt = h.attempt
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address AND s.place = h.place AND NOT s.orphaned
    RETURNING s.execution_id, s.attempt, s.place, s.durable, s.summary, s.best_effort,
              (s.durable_trimmed - s.durable_removed + s.summary_trimmed - s.summary_removed
               + s.best_effort_trimmed - s.best_effort_removed)::integer AS excess
),
appended AS (
    SELECT * FROM streams UNION ALL SELECT * FROM streams_changed
),
frames AS (
    INSERT INTO stream_frame (partition, execution_id, attempt, mode, place, ordinal, token, ts,
                              is_text, frame_type, payload, metadata, correlation_id, source)
    SELECT $1, a.execution_id, a.attempt, f.mode::frame_mode, a.place - f.following,
           CASE f.mode WHEN 'durable' THEN a.durable WHEN 'durable_summary' THEN a.summary
                       ELSE a.best_effort END - f.mode_following,
           f.token, f.ts, f.is_text, f.frame_type, f.payload, f.metadata, f.correlation_id,
           f.source
    -- A full join cannot be a loop over all pairs, which it would be for small estimates.
    FROM appended a FULL JOIN unnest(
        $17::uuid[], $18::bigint[], $19::text[], $20::bigint[], $21::bigint[],
        $22::timestamptz[], $23::text[], $24::bytea[], $25::boolean[], $26::text[], $27::text[],
        $28::text[])
        AS f(execution_id, following, mode, mode_following, token, ts, frame_type, payload,
             is_text, metadata, correlation_id, source)
        ON f.execution_id = a.execution_id
    WHERE coalesce(a.place, -1) >= 0
),
summaries AS (
    INSERT INTO stream_summary (partition, execution_id, attempt, version, document)
    SELECT $1, a.execution_id, a.attempt, a.summary, h.document
    FROM appended a FULL JOIN locked h ON h.execution_id = a.execution_id
    WHERE coalesce(a.place, -1) >= 0 AND coalesce(octet_length(h.document), -1) >= 0
    ON CONFLICT (partition, execution_id, attempt) DO UPDATE
    SET version = excluded.version, document = excluded.document, updated_at = clock_timestamp()
)
SELECT execution_id AS "execution_id!", place AS "place!", durable AS "durable!",
       summary AS "summary!", best_effort AS "best_effort!", excess AS "excess!"
FROM appended
