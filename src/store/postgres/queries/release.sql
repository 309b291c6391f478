-- Without a nonce no append with the old fence is accepted any more.
UPDATE conversations AS c
SET owner = NULL, nonce = NULL
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS held (id, epoch, nonce)
WHERE c.id = held.id AND c.epoch = held.epoch AND c.nonce = held.nonce
