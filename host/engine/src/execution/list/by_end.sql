-- Finds finished executions by their end, from the last one: up to a number with each
-- outcome.
--
-- $1 outcomes
-- bounds: $2 first end; $3 end and $4 id before which to begin, $5 most rows of one outcome
-- Reads finished_by_end.
SELECT o.outcome AS "outcome!", f.finished_at, f.execution_id
FROM unnest($1::text[]) AS o(outcome)
CROSS JOIN LATERAL (
    SELECT f.finished_at, f.execution_id FROM finished f
    WHERE f.outcome = o.outcome::outcome AND f.finished_at >= $2
      AND (f.finished_at, f.execution_id) < ($3, $4::uuid)
    ORDER BY f.finished_at DESC, f.execution_id DESC LIMIT $5
) AS f
