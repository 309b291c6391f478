INSERT INTO legal_holds (customer, reason, placed_by, placed_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (customer) DO UPDATE
SET reason = excluded.reason, placed_by = excluded.placed_by, placed_at = excluded.placed_at
