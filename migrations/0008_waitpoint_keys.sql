-- Keys that waitpoint tokens are signed with.

CREATE TYPE waitpoint_key_state AS ENUM ('active', 'retiring');

-- The secret is encrypted under a key that is not in the database. A row is
-- never given another secret and outlives its end by an hour, so that what a host
-- remembers of a name is true. Like lanes and kinds, of no partition.
CREATE TABLE waitpoint_key (
    kid            text PRIMARY KEY,
    state          waitpoint_key_state NOT NULL DEFAULT 'active',
    wrapped_secret bytea NOT NULL,
    -- Which key encrypted it, to tell a host that has another.
    wrapped_under  bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by     text NOT NULL,
    -- Until when its tokens are accepted.
    not_after      timestamptz,
    retired_by     text,
    CONSTRAINT waitpoint_key_kid_in_range CHECK (octet_length(kid) BETWEEN 1 AND 32),
    CONSTRAINT waitpoint_key_ends_iff_retiring CHECK ((state = 'retiring') = (not_after IS NOT NULL))
);
CREATE UNIQUE INDEX waitpoint_key_active_is_one ON waitpoint_key (state) WHERE state = 'active';

-- The one place that says which keys are accepted now. A statement that acts on
-- a token looks here, so that a key is refused on every host from the moment it
-- ends, whatever the host remembers.
CREATE VIEW accepted_waitpoint_key AS
    SELECT kid FROM waitpoint_key
    WHERE not_after IS NULL OR not_after > clock_timestamp();
