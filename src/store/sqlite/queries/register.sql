INSERT INTO members (incarnation, name, state, started_at, address, role, release)
VALUES ($1, $2, 'live', $3, $4, $5, $6)
