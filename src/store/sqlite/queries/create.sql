-- The unique index on a customer's open conversation decides between racing creations; the loser inserts nothing.
INSERT INTO conversations (id, customer, language, opened_at, last_seq, control, control_version, next_deadline, searched_seq)
VALUES ($1, $2, $3, $4, 1, $5, $6, $7, 1)
ON CONFLICT DO NOTHING
