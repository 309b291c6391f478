INSERT INTO entries (conversation, seq, customer_prev, customer_sees, at, epoch, kind, body, participant, client_msg_id,
                     commitment)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
