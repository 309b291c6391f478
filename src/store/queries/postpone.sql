-- The customer is on hold: a closed conversation whose time is over at $4 is looked at again at $5.
UPDATE conversations
SET next_deadline = $5
WHERE id = $1 AND epoch = $2 AND nonce = $3 AND closed_at IS NOT NULL AND next_deadline <= $4
