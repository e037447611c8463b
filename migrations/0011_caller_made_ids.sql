-- Ids that callers make: a request that names an id that exists is the same request
-- only if it asks for the same, and what the first asked for is kept as a digest.

-- Digest of the request, for an execution whose id its caller made; others have none.
ALTER TABLE execution ADD COLUMN request_digest bytea;
