UPDATE conversations
SET next_deadline = closed_at + $2
WHERE id = $1 AND next_deadline IS NOT closed_at + $2
