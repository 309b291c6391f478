INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, participant, client_msg_id,
                     commitment, salt, body_commitment, link)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
