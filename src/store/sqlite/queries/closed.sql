SELECT closed_at, id
FROM conversations
WHERE closed_at IS NOT NULL AND erased_at IS NULL AND (closed_at, id) > ($1, $2)
ORDER BY closed_at, id
LIMIT $3
