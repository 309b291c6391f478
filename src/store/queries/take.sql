-- Takes ownership of a row that this transaction has locked: the owner is null, ourselves, or known not to live.
UPDATE conversations
SET owner = $2, epoch = epoch + 1, nonce = $3
WHERE id = $1
  AND (owner IS NULL
       OR owner = $2
       OR NOT EXISTS (SELECT 1 FROM members AS m WHERE m.incarnation = conversations.owner AND m.state = 'live'))
RETURNING epoch, last_seq, link, snapshot
