-- The unique index on a customer's open conversation decides between racing creations: the losers wait for the
-- winner's commit, insert nothing, and get no row.
WITH created AS (
    INSERT INTO conversations (id, customer, language, opened_at, last_seq, control, control_version, next_deadline,
                               searched_seq, link)
    VALUES ($1, $2, $3, $4, 1, $5, $6, $7, 1, $12)
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, salt,
                     body_commitment, link)
SELECT id, 1, 0, true, $4, 0, $8, $9, $10, $11, $12 FROM created
RETURNING conversation
