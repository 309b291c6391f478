UPDATE conversations
SET last_seq = $2,
    control = $3,
    control_version = $4,
    closed_at = coalesce(closed_at, $5),
    turn_seq = $6,
    turn_attempt = $7,
    next_deadline = $8,
    snapshot = coalesce($9, snapshot),
    snapshot_seq = CASE WHEN $9 IS NULL THEN snapshot_seq ELSE $2 END,
    link = $10,
    owed_by = $11,
    moved = (SELECT coalesce(max(moved), 0) + 1 FROM conversations)
WHERE id = $1
