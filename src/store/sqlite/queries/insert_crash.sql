INSERT INTO crashes (conversation, id, at) VALUES ($1, $2, $3)
