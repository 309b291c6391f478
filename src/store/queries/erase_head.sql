-- The state as it was is gone, and the conversation is known to be erased.
UPDATE conversations SET snapshot = NULL, snapshot_seq = NULL, erased_at = $2 WHERE id = $1
