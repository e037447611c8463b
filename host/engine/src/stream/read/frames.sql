-- Reads frames of streams of one partition, and what says whether each is closed.
--
-- $1 partition
-- streams: $2 execution ids, $3 attempts, $4 places after which to read, $5 places up to
-- which, $6 most frames, $7 most bytes of more than one frame, $8 whether of best effort too
--
-- At least one row for each stream, with its number; `found` counts the frames up to $6.
-- Frames that are trimmed are not read, and those of best effort only for their time.
-- Each mode is a range of stream_frame_pkey; the rest are lookups by the keys.
-- Locks nothing.
SELECT i.number AS "number!", statement_timestamp() AS "now!", e.namespace AS "namespace?",
       l.attempt AS "running?", coalesce(p.next, r.next) AS "next?",
       a.ended AS "ended?", a.released_at AS "released_at?: StoredTime",
       x.outcome AS "outcome?", x.finished_at AS "finished_at?: StoredTime",
       x.attempts AS "attempts?", coalesce(t.timed_out, false) AS "timed_out!",
       s.place AS "last_place?", s.ttl_ms AS "ttl_ms?",
       s.best_effort_ttl_ms AS "best_effort_ttl_ms?",
       f.found AS "found?", f.place AS "place?", f.mode AS "mode?", f.ordinal AS "ordinal?",
       f.ts AS "ts?: StoredTime", f.is_text AS "is_text?", f.frame_type AS "frame_type?",
       f.payload AS "payload?", f.metadata AS "metadata?",
       f.correlation_id AS "correlation_id?", f.source AS "source?"
FROM unnest($2::uuid[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::boolean[]) WITH ORDINALITY
    AS i(execution_id, attempt, after, up_to, count, bytes, best_effort, number)
LEFT JOIN LATERAL (
    SELECT e.namespace FROM execution e WHERE e.partition = $1 AND e.id = i.execution_id OFFSET 0
) AS e ON true
LEFT JOIN LATERAL (
    SELECT l.attempt FROM lease l
    WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
) AS l ON true
LEFT JOIN LATERAL (
    SELECT p.attempts - p.resumes::integer AS next FROM parked p
    WHERE p.partition = $1 AND p.execution_id = i.execution_id OFFSET 0
) AS p ON true
LEFT JOIN LATERAL (
    SELECT r.attempts - r.resumes::integer AS next FROM ready r
    WHERE r.partition = $1 AND r.execution_id = i.execution_id OFFSET 0
) AS r ON true
LEFT JOIN LATERAL (
    SELECT x.outcome::text, x.finished_at, x.attempts, x.lease_epoch, x.ended FROM finished x
    WHERE x.partition = $1 AND x.execution_id = i.execution_id OFFSET 0
) AS x ON true
LEFT JOIN LATERAL (
    SELECT x.ended::text, x.finished_at AS released_at
    WHERE x.lease_epoch IS NOT NULL AND x.attempts - 1 = i.attempt
    UNION ALL
    (SELECT a.ended::text, a.released_at FROM attempt a
     WHERE a.partition = $1 AND a.execution_id = i.execution_id AND a.attempt = i.attempt
     ORDER BY a.epoch DESC LIMIT 1)
    LIMIT 1
) AS a ON true
LEFT JOIN LATERAL (
    SELECT u.close_reason IN ('timed_out_fail', 'timed_out_cancel', 'timed_out_expire')
               -- It may have been another time limit.
               AND u.timeout_at <= u.closed_at AS timed_out
    FROM suspension u
    WHERE u.partition = $1 AND u.execution_id = i.execution_id AND u.attempt = i.attempt
      -- Not while it waits or runs.
      AND a.ended = 'suspended' AND l.attempt IS DISTINCT FROM i.attempt
    ORDER BY u.seq DESC LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT s.* FROM stream s
    WHERE s.partition = $1 AND s.execution_id = i.execution_id AND s.attempt = i.attempt
      AND NOT s.orphaned OFFSET 0
) AS s ON true
LEFT JOIN LATERAL (
    SELECT b.found, b.mode::text, f.*
    FROM (
        SELECT b.*, count(*) OVER () AS found,
               sum(b.bytes) OVER (ORDER BY b.place) AS bytes_up_to
        FROM (
            (SELECT f.ctid AS address, f.mode, f.place,
                    octet_length(f.payload) + coalesce(octet_length(f.metadata), 0) AS bytes
             FROM stream_frame f
             WHERE f.partition = $1 AND f.execution_id = i.execution_id
               AND f.attempt = i.attempt AND f.mode = 'durable'
               AND f.place > greatest(i.after, s.durable_removed_place) AND f.place <= i.up_to
               AND f.ordinal > s.durable_trimmed
             ORDER BY f.place LIMIT i.count)
            UNION ALL
            (SELECT f.ctid, f.mode, f.place,
                    octet_length(f.payload) + coalesce(octet_length(f.metadata), 0)
             FROM stream_frame f
             WHERE f.partition = $1 AND f.execution_id = i.execution_id
               AND f.attempt = i.attempt AND f.mode = 'durable_summary'
               AND f.place > greatest(i.after, s.summary_removed_place) AND f.place <= i.up_to
               AND f.ordinal > s.summary_trimmed
             ORDER BY f.place LIMIT i.count)
            UNION ALL
            (SELECT f.ctid, f.mode, f.place,
                    octet_length(f.payload) + coalesce(octet_length(f.metadata), 0)
             FROM stream_frame f
             WHERE i.best_effort AND f.partition = $1 AND f.execution_id = i.execution_id
               AND f.attempt = i.attempt AND f.mode = 'best_effort'
               AND f.place > greatest(i.after, s.best_effort_removed_place,
                   (floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint
                        - s.best_effort_ttl_ms << 20) - 1)
               AND f.place <= i.up_to AND f.ordinal > s.best_effort_trimmed
             ORDER BY f.place LIMIT i.count)
            ORDER BY place LIMIT i.count
        ) AS b
    ) AS b
    CROSS JOIN LATERAL (
        SELECT f.place, f.ordinal, f.ts, f.is_text, f.frame_type, f.payload, f.metadata,
               f.correlation_id, f.source
        FROM stream_frame f WHERE f.ctid = b.address
    ) AS f
    WHERE b.bytes_up_to <= greatest(i.bytes, b.bytes)
) AS f ON s.place IS NOT NULL
ORDER BY i.number, f.place
