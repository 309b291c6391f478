-- What kept a conversation from being created: the customer's open one, or the same id; and whether it is the customer's.
SELECT id, customer = $1
FROM conversations
WHERE (customer = $1 AND closed_at IS NULL) OR id = $2
ORDER BY customer <> $1, closed_at IS NOT NULL
LIMIT 1
