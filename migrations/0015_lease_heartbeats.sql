-- When a lease was last renewed, which readers see as its last heartbeat.
--
-- No index has it, as nothing that a renewal changes is in one, so that the row stays
-- within its page. Hosts of the last version leave it as it was.
ALTER TABLE lease ADD COLUMN renewed_at timestamptz;
