SELECT id FROM conversations WHERE customer = $1 AND closed_at IS NULL
