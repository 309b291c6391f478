-- The unique index on a customer's open conversation decides between racing creations; the loser inserts nothing.
INSERT INTO conversations (id, customer, language, opened_at, last_seq, control, control_version, next_deadline,
                           searched_seq, link, moved)
VALUES ($1, $2, $3, $4, 1, $5, $6, $7, 1, $8, (SELECT coalesce(max(moved), 0) + 1 FROM conversations))
ON CONFLICT DO NOTHING
