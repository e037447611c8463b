-- Reads executions as callers see them: rows of `execution` joined with the one
-- table that holds their state.
--
-- $1 partition of the id?, $2 id?
-- filter: $3 namespace?, $4 kind?, $5 lane?, $6 public state?, $7 label key?, $8 label value?
-- page: $9 after (id)?, $10 at most so many rows
--
-- Newest first; reads the primary key of one row when an id is given.
SELECT e.id AS "id!", e.namespace AS "namespace!", e.kind AS "kind!", e.lane AS "lane!",
       (9000 - coalesce(l.rank, r.rank, p.rank,
                        9000 - coalesce(e.changed_priority, e.priority)))::smallint AS "priority!",
       e.flow_id, e.creator, e.idempotency_key,
       (SELECT q.state::text FROM lane q WHERE q.name = e.lane) AS lane_state,
       e.created_at AS "created_at!",
       coalesce((SELECT t.due_at FROM timer t
                 WHERE t.partition = e.partition AND t.execution_id = e.id
                   AND t.kind = 'execution_deadline'), e.deadline_at) AS "deadline_at?: StoredTime",
       e.input_type AS "input_type!", octet_length(e.input) AS "input_bytes!",
       CASE WHEN e.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[t.key, t.value]) FROM tag t
           WHERE t.partition = e.partition AND t.execution_id = e.id ORDER BY t.key)
       END AS tags,
       CASE WHEN l.execution_id IS NOT NULL THEN 'active'
            WHEN f.execution_id IS NOT NULL THEN 'terminal'
            WHEN p.execution_id IS NOT NULL THEN p.state::text
            ELSE 'waiting' END AS "state!",
       p.reason::text AS reason, p.reason_detail, p.wake_at AS "wake_at?: StoredTime",
       f.outcome::text AS outcome, f.finished_at AS "finished_at?", f.source,
       f.failure_class::text AS failure_class, f.failure_code, f.failure_message,
       f.result_type, octet_length(f.result) AS result_bytes,
       coalesce(l.epoch, f.epoch, p.epoch, r.epoch, 0) AS "epoch!",
       coalesce(l.attempt + 1, f.attempts, p.attempts, r.attempts, 0) AS "attempts!",
       coalesce(l.retries, f.retries, p.retries, r.retries, 0) AS "retries!",
       coalesce(l.reclaims, f.reclaims, p.reclaims, r.reclaims, 0) AS "reclaims!",
       coalesce(l.replays, f.replays, p.replays, r.replays, 0) AS "replays!",
       coalesce(l.acquired_at, f.finished_at, p.parked_at, r.ready_at, e.created_at)
           AS "last_mutation_at!",
       coalesce(p.next_type, r.next_type, 'initial')::text AS "next_type!",
       coalesce(p.resumes, r.resumes, false) AS "resumes!",
       l.lease_id AS "lease_id?", l.worker_instance_id AS "worker_instance_id?",
       l.attempt AS "attempt?", l.acquired_at AS "acquired_at?", l.expires_at AS "expires_at?",
       l.renewals AS "renewals?", l.progress_percent, l.progress_message,
       coalesce(
           (SELECT min(a.acquired_at) FROM ended_lease a
            WHERE a.partition = e.partition AND a.execution_id = e.id),
           l.acquired_at) AS started_at
FROM execution e
LEFT JOIN ready r ON r.partition = e.partition AND r.execution_id = e.id
LEFT JOIN lease l ON l.partition = e.partition AND l.execution_id = e.id
LEFT JOIN parked p ON p.partition = e.partition AND p.execution_id = e.id
LEFT JOIN finished f ON f.partition = e.partition AND f.execution_id = e.id
WHERE ($1::smallint IS NULL OR e.partition = $1)
  AND ($2::uuid IS NULL OR e.id = $2)
  AND ($3::text IS NULL OR e.namespace = $3)
  AND ($9::uuid IS NULL OR e.id < $9)
  AND ($4::text IS NULL OR e.kind = $4)
  AND ($5::text IS NULL OR e.lane = $5)
  AND ($6::text IS NULL OR $6 = CASE
       WHEN l.execution_id IS NOT NULL THEN 'active'
       WHEN f.execution_id IS NOT NULL THEN
           CASE f.outcome WHEN 'success' THEN 'completed' ELSE f.outcome::text END
       WHEN p.execution_id IS NOT NULL THEN
           CASE p.state WHEN 'blocked' THEN 'waiting' ELSE p.state::text END
       ELSE 'waiting' END)
  AND ($7::text IS NULL OR EXISTS (
       SELECT FROM tag t WHERE t.partition = e.partition AND t.execution_id = e.id
                           AND t.key = $7 AND t.value = $8))
ORDER BY e.id DESC
LIMIT $10
