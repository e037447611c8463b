-- Reads what an append to streams of one partition is decided on.
--
-- $1 partition
-- streams: $2 execution ids, $3 attempts, $4 whether to read the summary document
--
-- Reads stream_pkey, execution_pkey and stream_summary_pkey. Locks nothing.
SELECT i.execution_id AS "execution_id!", s.place AS "place?",
       coalesce(s.orphaned, false) AS "orphaned!", e.policy AS "policy?",
       d.document AS "document?"
FROM unnest($2::uuid[], $3::integer[], $4::boolean[]) AS i(execution_id, attempt, document)
LEFT JOIN LATERAL (
    SELECT s.place, s.orphaned FROM stream s
    WHERE s.partition = $1 AND s.execution_id = i.execution_id AND s.attempt = i.attempt OFFSET 0
) AS s ON true
LEFT JOIN LATERAL (
    SELECT e.policy FROM execution e WHERE e.partition = $1 AND e.id = i.execution_id OFFSET 0
) AS e ON true
LEFT JOIN LATERAL (
    SELECT d.document FROM stream_summary d
    WHERE i.document AND d.partition = $1 AND d.execution_id = i.execution_id
      AND d.attempt = i.attempt OFFSET 0
) AS d ON true
