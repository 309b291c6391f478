-- Without a nonce no append with the old fence is accepted any more.
UPDATE conversations SET owner = NULL, nonce = NULL WHERE id = $1 AND epoch = $2 AND nonce = $3
