-- Events of a conversation from after position $2 to position $3, oldest first, and whether they stand in the chain.
SELECT seq, body, link IS NOT NULL FROM entries WHERE conversation = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
