INSERT INTO members (incarnation, name, state, started_at) VALUES ($1, $2, 'live', $3)
