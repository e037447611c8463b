-- Reads what handlers of one partition resume with: the state that was saved, and the
-- signals that satisfied the suspension, in the order they were accepted.
--
-- $1 partition; then arrays, one element per execution: $2 execution ids, $3 suspension
-- ids, absent for the last one since the last replay; then of each: $4 how many signals
-- are left out (the state comes with the first only), $5 most signals, $6 most bytes of
-- them together, though the first signal always comes. A suspension that is still open is
-- left out.
-- Locks: none.
SELECT w.execution_id AS "execution_id!", s.id AS "id!", s.closed_at AS "closed_at!",
       s.close_reason AS "close_reason!",
       CASE WHEN $4::integer = 0 THEN s.state END AS state, s.state_type,
       coalesce(cardinality(s.satisfiers), 0) AS "signal_count!",
       g.ids AS "signal_ids?", g.waitpoint_ids AS "waitpoint_ids?",
       g.waitpoint_keys AS "waitpoint_keys?", g.names AS "names?",
       g.categories AS "categories?: Vec<Option<String>>", g.source_types AS "source_types?",
       g.source_identities AS "source_identities?",
       g.correlation_ids AS "correlation_ids?: Vec<Option<String>>",
       g.payloads AS "payloads?: Vec<Option<Vec<u8>>>",
       g.payload_types AS "payload_types?: Vec<Option<String>>", g.accepted AS "accepted?"
FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, suspension_id)
CROSS JOIN LATERAL (
    SELECT s.* FROM suspension s
    WHERE s.partition = $1 AND s.execution_id = w.execution_id
      AND (w.suspension_id IS NULL OR s.id = w.suspension_id)
    ORDER BY s.seq DESC LIMIT 1
) AS s
CROSS JOIN LATERAL (
    SELECT array_agg(g.id) AS ids, array_agg(g.waitpoint_id) AS waitpoint_ids,
           array_agg(g.waitpoint_key) AS waitpoint_keys, array_agg(g.name) AS names,
           array_agg(g.category) AS categories, array_agg(g.source_type) AS source_types,
           array_agg(g.source_identity) AS source_identities,
           array_agg(g.correlation_id) AS correlation_ids, array_agg(g.payload) AS payloads,
           array_agg(g.payload_type) AS payload_types, array_agg(g.accepted_at) AS accepted
    FROM (
        SELECT g.*, t.key AS waitpoint_key
        FROM (
            SELECT g.*,
                   sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
                       - coalesce(octet_length(g.payload), 0) AS before
            FROM signal g
            WHERE g.partition = $1 AND g.execution_id = w.execution_id
              AND g.id = ANY (s.satisfiers[$4::integer + 1 : $4::integer + $5::integer])
            ORDER BY g.seq
        ) AS g
        CROSS JOIN LATERAL (
            SELECT t.key FROM waitpoint t
            WHERE t.partition = $1 AND t.execution_id = w.execution_id AND t.id = g.waitpoint_id
            OFFSET 0
        ) AS t
        WHERE g.before < $6::bigint
        ORDER BY g.seq
    ) AS g
) AS g
WHERE s.closed_at IS NOT NULL
  AND (w.suspension_id IS NOT NULL
       OR s.replays = (SELECT l.replays FROM lease l
                       WHERE l.partition = $1 AND l.execution_id = w.execution_id))
