SELECT id, customer, language, opened_at, last_seq, control, control_version, owner, epoch, turn_seq, turn_attempt
FROM conversations
WHERE closed_at IS NULL AND id < $1
ORDER BY id DESC
LIMIT $2
