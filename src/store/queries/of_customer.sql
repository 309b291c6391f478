SELECT id, last_seq, erased_at IS NOT NULL
FROM conversations
WHERE customer = $1 AND id > $2
ORDER BY id
LIMIT $3
