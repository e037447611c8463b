-- Reads which frames of streams of one partition were appended by calls, each with a token.
--
-- $1 partition
-- streams: $2 execution ids, $3 attempts, $4 places after which the calls can be
-- $5 tokens
--
-- Walks the frames after those places in stream_frame_pkey. Locks nothing.
SELECT f.token AS "token!", f.place AS "place!", f.ordinal AS "ordinal!",
       s.durable + s.summary + s.best_effort AS "frame_count!"
FROM unnest($2::uuid[], $3::integer[], $4::bigint[]) AS i(execution_id, attempt, place)
CROSS JOIN LATERAL (
    SELECT s.durable, s.summary, s.best_effort FROM stream s
    WHERE s.partition = $1 AND s.execution_id = i.execution_id AND s.attempt = i.attempt OFFSET 0
) AS s
CROSS JOIN unnest(enum_range(NULL::frame_mode)) AS m(mode)
CROSS JOIN LATERAL (
    SELECT f.token, f.place, f.ordinal FROM stream_frame f
    WHERE f.partition = $1 AND f.execution_id = i.execution_id AND f.attempt = i.attempt
      AND f.mode = m.mode AND f.place > i.place OFFSET 0
) AS f
WHERE f.token = ANY ($5::bigint[])
