-- What kept a conversation from being created: the customer's open one, or itself, created by an earlier try.
SELECT id
FROM conversations
WHERE customer = $1 AND (closed_at IS NULL OR id = $2)
ORDER BY closed_at IS NOT NULL
LIMIT 1
