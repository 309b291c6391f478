-- The next free identifier in the millisecond $1. One transaction writes at a time, so nobody else takes it.
INSERT INTO search (id, conversation, seq)
SELECT coalesce(max(id), $1 << 20) + 1, $2, $3 FROM search WHERE id >= $1 << 20 AND id < ($1 + 1) << 20
ON CONFLICT DO NOTHING
RETURNING id
