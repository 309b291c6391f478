-- It joins: others see it, and may find it dead if it does not beat.
INSERT INTO members (incarnation, name, state, started_at, address, role, release, standing, heartbeat_at)
VALUES ($1, $2, 'live', $3, $4, $5, $6, 'joining', clock_timestamp())
