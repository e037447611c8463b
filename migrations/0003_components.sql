-- Components by digest, and which of them serve a kind.

CREATE TABLE component (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest       bytea NOT NULL UNIQUE,
    bytes        bytea NOT NULL,
    world        text NOT NULL,
    imports      text[] NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT component_digest_is_sha256 CHECK (octet_length(digest) = 32)
);
-- Compressed modules do not compress again.
ALTER TABLE component ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE kind (
    name        text PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT kind_name_in_range CHECK (octet_length(name) BETWEEN 1 AND 128)
);

CREATE TABLE route (
    kind         text NOT NULL REFERENCES kind (name),
    component_id integer NOT NULL REFERENCES component (id),
    weight       integer NOT NULL,
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, component_id),
    CONSTRAINT route_weight_in_range CHECK (weight BETWEEN 0 AND 10000)
);
