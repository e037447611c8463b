-- Trims a stream: all of it, with its summary document, or its frames of best effort whose
-- time is over.
--
-- $1 partition, $2 execution id, $3 attempt, $4 whether all of it
--
-- Reads the last of these frames in stream_frame_pkey.
-- Locks: the stream, then its summary.
WITH streams_changed AS (
    UPDATE stream s
    SET durable_trimmed = CASE WHEN $4::boolean THEN s.durable ELSE s.durable_trimmed END,
        summary_trimmed = CASE WHEN $4::boolean THEN s.summary ELSE s.summary_trimmed END,
        best_effort_trimmed = CASE WHEN $4::boolean THEN s.best_effort ELSE greatest(
            s.best_effort_trimmed, (
                SELECT f.ordinal FROM stream_frame f
                WHERE f.partition = $1 AND f.execution_id = $2 AND f.attempt = $3
                  AND f.mode = 'best_effort'
                  AND f.place < (floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint
                                     - s.best_effort_ttl_ms << 20)
                ORDER BY f.place DESC LIMIT 1)) END
    WHERE s.partition = $1 AND s.execution_id = $2 AND s.attempt = $3
    RETURNING 1
)
DELETE FROM stream_summary d
WHERE $4::boolean AND d.partition = $1 AND d.execution_id = $2 AND d.attempt = $3
  AND EXISTS (SELECT FROM streams_changed)
