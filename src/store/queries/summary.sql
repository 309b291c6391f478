SELECT id, customer, language, opened_at, last_seq, control, control_version, owner, epoch, turn_seq, turn_attempt
FROM conversations
WHERE id = $1
