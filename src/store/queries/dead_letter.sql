INSERT INTO dead_letters (id, conversation, expected_seq, at, reason, entries) VALUES ($1, $2, $3, $4, $5, $6)
